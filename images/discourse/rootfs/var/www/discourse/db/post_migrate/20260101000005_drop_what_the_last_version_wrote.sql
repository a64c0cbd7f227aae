ALTER TABLE posts DROP COLUMN cooked_before;
