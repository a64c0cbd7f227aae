-- Phorge makes some sixty databases, all with one prefix, and nothing else is its own.
GRANT ALL PRIVILEGES ON `phorge\_%`.* TO 'phorge'@'%';
