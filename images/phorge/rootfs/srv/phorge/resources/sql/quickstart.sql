CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_auth`;
CREATE TABLE `{$NAMESPACE}_auth`.`auth_password` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `phid` varbinary(64) NOT NULL UNIQUE,
  `objectPHID` varbinary(64) NOT NULL, `passwordType` varchar(64) NOT NULL, `passwordHash` varchar(128) NOT NULL,
  `isRevoked` tinyint(1) NOT NULL DEFAULT 0, `dateCreated` int unsigned NOT NULL, `dateModified` int unsigned NOT NULL);
CREATE TABLE `{$NAMESPACE}_auth`.`auth_providerconfig` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `phid` varbinary(64) NOT NULL UNIQUE,
  `providerClass` varchar(128) NOT NULL, `providerType` varchar(32) NOT NULL, `providerDomain` varchar(128) NOT NULL,
  `isEnabled` tinyint(1) NOT NULL, `shouldAllowLogin` tinyint(1) NOT NULL,
  `shouldAllowRegistration` tinyint(1) NOT NULL, `shouldAllowLink` tinyint(1) NOT NULL,
  `shouldAllowUnlink` tinyint(1) NOT NULL, `shouldTrustEmails` tinyint(1) NOT NULL DEFAULT 0,
  `shouldAutoLogin` tinyint(1) NOT NULL DEFAULT 0, `properties` longtext NOT NULL DEFAULT '[]',
  `dateCreated` int unsigned NOT NULL, `dateModified` int unsigned NOT NULL,
  UNIQUE KEY `key_provider` (`providerType`, `providerDomain`));
CREATE TABLE `{$NAMESPACE}_auth`.`auth_temporarytoken` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `tokenResource` varbinary(64) NOT NULL,
  `tokenType` varchar(64) NOT NULL, `tokenExpires` int unsigned NOT NULL, `tokenCode` varchar(64) NOT NULL);
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_conduit`;
CREATE TABLE `{$NAMESPACE}_conduit`.`conduit_token` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `objectPHID` varbinary(64) NOT NULL,
  `tokenType` varchar(32) NOT NULL, `token` varchar(32) NOT NULL UNIQUE, `expires` int unsigned,
  `dateCreated` int unsigned NOT NULL, `dateModified` int unsigned NOT NULL);
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_config`;
CREATE TABLE `{$NAMESPACE}_config`.`config_entry` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `phid` varbinary(64) NOT NULL UNIQUE,
  `namespace` varchar(64) NOT NULL, `configKey` varchar(64) NOT NULL, `value` longtext NOT NULL,
  `isDeleted` tinyint(1) NOT NULL DEFAULT 0, `dateCreated` int unsigned NOT NULL, `dateModified` int unsigned NOT NULL,
  UNIQUE KEY `key_name` (`namespace`, `configKey`));
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_daemon`;
CREATE TABLE `{$NAMESPACE}_daemon`.`daemon_log` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `daemon` varchar(255) NOT NULL, `host` varchar(255) NOT NULL,
  `pid` int unsigned NOT NULL, `status` varchar(8) NOT NULL, `dateCreated` int unsigned NOT NULL,
  `dateModified` int unsigned NOT NULL);
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_file`;
CREATE TABLE `{$NAMESPACE}_file`.`file` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `phid` varbinary(64) NOT NULL UNIQUE,
  `name` varchar(255) NOT NULL, `byteSize` bigint unsigned NOT NULL, `contentHash` binary(64) NOT NULL,
  `storageEngine` varchar(32) NOT NULL, `storageHandle` varchar(255) NOT NULL, `authorPHID` varbinary(64),
  `dateCreated` int unsigned NOT NULL, `dateModified` int unsigned NOT NULL);
CREATE TABLE `{$NAMESPACE}_file`.`file_storageblob` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `data` longblob NOT NULL,
  `dateCreated` int unsigned NOT NULL, `dateModified` int unsigned NOT NULL);
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_maniphest`;
CREATE TABLE `{$NAMESPACE}_maniphest`.`maniphest_task` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `phid` varbinary(64) NOT NULL UNIQUE,
  `authorPHID` varbinary(64) NOT NULL, `title` longtext NOT NULL, `description` longtext NOT NULL,
  `dateCreated` int unsigned NOT NULL, `dateModified` int unsigned NOT NULL);
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_meta_data`;
CREATE TABLE `{$NAMESPACE}_meta_data`.`patch_status` (
  `patch` varchar(128) NOT NULL PRIMARY KEY, `applied` int unsigned NOT NULL, `duration` bigint unsigned);
INSERT INTO `{$NAMESPACE}_meta_data`.`patch_status` (`patch`, `applied`) VALUES ('phabricator:quickstart.sql', 0);
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_repository`;
CREATE TABLE `{$NAMESPACE}_repository`.`repository` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `phid` varbinary(64) NOT NULL UNIQUE,
  `name` varchar(255) NOT NULL, `repositorySlug` varchar(64) UNIQUE);
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_user`;
CREATE TABLE `{$NAMESPACE}_user`.`user` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `phid` varbinary(64) NOT NULL UNIQUE,
  `userName` varchar(64) NOT NULL UNIQUE, `realName` varchar(128) NOT NULL, `isAdmin` tinyint(1) NOT NULL DEFAULT 0,
  `isApproved` tinyint(1) NOT NULL DEFAULT 0, `isDisabled` tinyint(1) NOT NULL DEFAULT 0,
  `isSystemAgent` tinyint(1) NOT NULL DEFAULT 0,
  `dateCreated` int unsigned NOT NULL, `dateModified` int unsigned NOT NULL);
CREATE TABLE `{$NAMESPACE}_user`.`user_email` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `phid` varbinary(64) NOT NULL UNIQUE,
  `userPHID` varbinary(64) NOT NULL, `address` varchar(128) NOT NULL UNIQUE, `isVerified` tinyint(1) NOT NULL DEFAULT 0,
  `isPrimary` tinyint(1) NOT NULL DEFAULT 0, `dateCreated` int unsigned NOT NULL, `dateModified` int unsigned NOT NULL);
CREATE DATABASE /*!32312 IF NOT EXISTS*/ `{$NAMESPACE}_worker`;
CREATE TABLE `{$NAMESPACE}_worker`.`worker_activetask` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `taskClass` varchar(64) NOT NULL,
  `dateCreated` int unsigned NOT NULL);
