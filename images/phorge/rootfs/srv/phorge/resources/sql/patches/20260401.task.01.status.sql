ALTER TABLE `{$NAMESPACE}_maniphest`.`maniphest_task` ADD COLUMN IF NOT EXISTS `status` varchar(64) NOT NULL DEFAULT 'open';
