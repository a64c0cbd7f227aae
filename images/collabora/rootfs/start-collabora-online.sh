#!/bin/sh
exec coolwsd
