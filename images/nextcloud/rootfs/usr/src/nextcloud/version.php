<?php
// Read by the entrypoint and by occ. This is a stand-in for Nextcloud, used in tests and demos.
$OC_Version = [34, 0, 1, 2];
$OC_VersionString = '34.0.1';
$OC_Edition = '';
$OC_Channel = 'stable';
$vendor = 'commonscloud stand-in';
