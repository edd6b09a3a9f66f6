-- Version 1 of what the distributed store keeps in one cluster.
-- Times are Unix seconds, names are the 32 bytes of the protocol, sizes are bytes.

CREATE TABLE bulla.about (
    one     boolean PRIMARY KEY DEFAULT true CHECK (one),
    version integer NOT NULL,
    cluster uuid    NOT NULL DEFAULT gen_random_uuid()
);

-- Which cluster has which slot; only the table of the first cluster is read.
CREATE TABLE bulla.route (
    slot    smallint PRIMARY KEY CHECK (slot BETWEEN 0 AND 1023),
    cluster uuid     NOT NULL
);

-- The slots this cluster does not serve: 'absent', or on their way in or out.
CREATE TABLE bulla.elsewhere (
    slot  smallint PRIMARY KEY CHECK (slot BETWEEN 0 AND 1023),
    state text     NOT NULL CHECK (state IN ('absent', 'arriving', 'leaving'))
);

-- Half of every page of these four stays free, so that counters change in place (HOT).
CREATE TABLE bulla.tokens (
    id            bytea  PRIMARY KEY,
    max_mailboxes bigint NOT NULL,
    max_bytes     bigint,
    expires       bigint,
    used          bigint NOT NULL DEFAULT 0,
    -- Waiting and reserved, in all its mailboxes of this cluster.
    bytes         bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 50);

CREATE TABLE bulla.mailboxes (
    mailbox  bytea    PRIMARY KEY,
    slot     smallint NOT NULL,
    token    bytea,
    messages bigint   NOT NULL DEFAULT 0,
    bytes    bigint   NOT NULL DEFAULT 0
) WITH (fillfactor = 50);
CREATE INDEX ON bulla.mailboxes (slot);
CREATE INDEX ON bulla.mailboxes (token) WHERE token IS NOT NULL;

CREATE TABLE bulla.capabilities (
    mailbox      bytea  NOT NULL,
    id           bytea  NOT NULL,
    expires      bigint,
    max_messages bigint,
    max_bytes    bigint,
    hourly       bigint,
    total        bigint,
    pushed       bigint NOT NULL DEFAULT 0,
    messages     bigint NOT NULL,
    bytes        bigint NOT NULL,
    -- The hour of the last push, in hours since 1970, and the pushes in it.
    hour         bigint NOT NULL DEFAULT 0,
    in_hour      bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (mailbox, id)
) WITH (fillfactor = 50);

-- What all mailboxes hold, spread over rows so that writers do not wait for each other.
CREATE TABLE bulla.totals (
    lane      smallint PRIMARY KEY,
    mailboxes bigint NOT NULL DEFAULT 0,
    messages  bigint NOT NULL DEFAULT 0,
    bytes     bigint NOT NULL DEFAULT 0,
    reserved  bigint NOT NULL DEFAULT 0
) WITH (fillfactor = 10);
INSERT INTO bulla.totals (lane) SELECT generate_series(0, 15);

-- In a mailbox, numbers are in the order of commits: whoever takes one holds the mailbox's row.
CREATE SEQUENCE bulla.numbers;

CREATE TABLE bulla.messages (
    mailbox    bytea  NOT NULL,
    id         bytea  NOT NULL,
    number     bigint NOT NULL,
    size       bigint NOT NULL,
    expires    bigint NOT NULL,
    capability bytea  NOT NULL,
    -- Either the body or the key of its parts.
    upload     bytea,
    body       bytea,
    PRIMARY KEY (mailbox, id)
) PARTITION BY HASH (mailbox);
CREATE INDEX ON bulla.messages (mailbox, number);
CREATE INDEX ON bulla.messages (expires);

-- Ids that were acknowledged, until they may be forgotten.
CREATE TABLE bulla.acked (
    mailbox bytea  NOT NULL,
    id      bytea  NOT NULL,
    until   bigint NOT NULL,
    PRIMARY KEY (mailbox, id)
) PARTITION BY HASH (mailbox);
CREATE INDEX ON bulla.acked (until);

DO $$
BEGIN
    FOR n IN 0..15 LOOP
        -- A queue is mostly dead rows: they are cleared by their number, not by a share of all.
        EXECUTE format('CREATE TABLE bulla.messages_%s PARTITION OF bulla.messages
            FOR VALUES WITH (MODULUS 16, REMAINDER %s)
            WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_threshold = 1000,
                  autovacuum_vacuum_cost_delay = 0)', n, n);
        EXECUTE format('CREATE TABLE bulla.acked_%s PARTITION OF bulla.acked
            FOR VALUES WITH (MODULUS 16, REMAINDER %s)
            WITH (autovacuum_vacuum_scale_factor = 0.05)', n, n);
    END LOOP;
END $$;

-- Sealed bytes cannot be compressed.
ALTER TABLE bulla.messages ALTER COLUMN body SET STORAGE EXTERNAL;

-- Long messages that are not complete; their whole size is reserved.
CREATE TABLE bulla.uploads (
    key        bytea   PRIMARY KEY,
    mailbox    bytea   NOT NULL,
    capability bytea   NOT NULL,
    id         bytea   NOT NULL,
    size       bigint  NOT NULL,
    have       bigint  NOT NULL DEFAULT 0,
    until      bigint  NOT NULL,
    -- Whether other requests may go on with it.
    resumable  boolean NOT NULL
);
CREATE INDEX ON bulla.uploads (mailbox);
CREATE INDEX ON bulla.uploads (until);
CREATE UNIQUE INDEX ON bulla.uploads (mailbox, capability, id) WHERE resumable;

-- Long bodies in order of their parts; without a body the part is an object of the object store.
CREATE TABLE bulla.parts (
    key   bytea  NOT NULL,
    start bigint NOT NULL,
    size  bigint NOT NULL,
    body  bytea,
    PRIMARY KEY (key, start)
);

ALTER TABLE bulla.parts ALTER COLUMN body SET STORAGE EXTERNAL;

-- Keys whose parts nobody names any more.
CREATE TABLE bulla.garbage (
    key bytea PRIMARY KEY
);
