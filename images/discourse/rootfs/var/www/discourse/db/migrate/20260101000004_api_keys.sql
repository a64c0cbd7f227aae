CREATE TABLE api_keys (
    id bigserial PRIMARY KEY,
    key_hash text NOT NULL UNIQUE,
    description text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
