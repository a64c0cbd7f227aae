CREATE TABLE uploads (
    id bigserial PRIMARY KEY,
    original_filename text NOT NULL,
    filesize bigint NOT NULL,
    sha1 text NOT NULL UNIQUE,
    url text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
