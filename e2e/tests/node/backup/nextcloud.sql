--
-- PostgreSQL database dump
--

-- Dumped from database version 16.10
-- Dumped by pg_dump version 17.6

SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET transaction_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;

SET default_tablespace = '';

SET default_table_access_method = heap;

CREATE TABLE public.oc_appconfig (
    appid text NOT NULL,
    configkey text NOT NULL,
    configvalue text
);

CREATE TABLE public.oc_filecache (
    fileid bigint NOT NULL,
    owner text NOT NULL,
    path text NOT NULL,
    size bigint NOT NULL,
    sha256 text NOT NULL,
    mtime bigint NOT NULL
);

CREATE SEQUENCE public.oc_filecache_fileid_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1;

ALTER SEQUENCE public.oc_filecache_fileid_seq OWNED BY public.oc_filecache.fileid;

CREATE TABLE public.oc_storages (
    numeric_id bigint NOT NULL,
    id character varying(64),
    available integer DEFAULT 1 NOT NULL,
    last_checked integer
);

CREATE TABLE public.oc_users (
    uid text NOT NULL,
    displayname text,
    password text NOT NULL
);

ALTER TABLE ONLY public.oc_filecache ALTER COLUMN fileid SET DEFAULT nextval('public.oc_filecache_fileid_seq'::regclass);

COPY public.oc_appconfig (appid, configkey, configvalue) FROM stdin;
core	encryption_enabled	no
core	installedat	1700000000
\.

COPY public.oc_filecache (fileid, owner, path, size, sha256, mtime) FROM stdin;
@ROWS@
\.

COPY public.oc_storages (numeric_id, id, available, last_checked) FROM stdin;
1	home::anna	1	\N
2	local::/srv/nuvol/data/	1	\N
\.

COPY public.oc_users (uid, displayname, password) FROM stdin;
anna	Anna	$2y$10$abcdefghijklmnopqrstuun0ELozrqBNhUTcC3.auP/GilxXUjsry
\.

SELECT pg_catalog.setval('public.oc_filecache_fileid_seq', 100, true);

ALTER TABLE ONLY public.oc_appconfig
    ADD CONSTRAINT oc_appconfig_pkey PRIMARY KEY (appid, configkey);

ALTER TABLE ONLY public.oc_filecache
    ADD CONSTRAINT oc_filecache_pkey PRIMARY KEY (fileid);

ALTER TABLE ONLY public.oc_filecache
    ADD CONSTRAINT oc_filecache_owner_path_key UNIQUE (owner, path);

ALTER TABLE ONLY public.oc_storages
    ADD CONSTRAINT oc_storages_pkey PRIMARY KEY (numeric_id);

ALTER TABLE ONLY public.oc_users
    ADD CONSTRAINT oc_users_pkey PRIMARY KEY (uid);

CREATE UNIQUE INDEX storages_id_index ON public.oc_storages USING btree (id);

--
-- PostgreSQL database dump complete
--
