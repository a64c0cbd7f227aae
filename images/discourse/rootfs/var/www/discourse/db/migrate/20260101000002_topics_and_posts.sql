CREATE TABLE topics (
    id bigserial PRIMARY KEY,
    title text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE posts (
    id bigserial PRIMARY KEY,
    topic_id bigint NOT NULL REFERENCES topics,
    username text NOT NULL,
    raw text NOT NULL,
    -- What the version before this one wrote.
    cooked_before text,
    custom_fields hstore NOT NULL DEFAULT '',
    embedding vector,
    created_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX posts_by_words ON posts USING gin (raw gin_trgm_ops);
