CREATE DATABASE IF NOT EXISTS `{$NAMESPACE}_project`;
CREATE TABLE IF NOT EXISTS `{$NAMESPACE}_project`.`project` (
  `id` int unsigned NOT NULL AUTO_INCREMENT PRIMARY KEY, `phid` varbinary(64) NOT NULL UNIQUE, `name` varchar(128) NOT NULL);
