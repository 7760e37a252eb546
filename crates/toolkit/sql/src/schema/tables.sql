-- The days for which there is a table {p}inbox_DAY, counted from the beginning of 1970.
CREATE TABLE {p}inbox_days (day BIGINT PRIMARY KEY);

-- Attempts at messages that may have been delivered before.
CREATE TABLE {p}attempts (
    handler TEXT NOT NULL,
    message_id TEXT NOT NULL,
    day BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    PRIMARY KEY (handler, message_id)
);

-- Messages to send, those of a key in the order of seq. due_at is 0 unless they are delayed.
CREATE TABLE {p}outbox (
    seq {serial},
    lane BIGINT NOT NULL,
    kind TEXT NOT NULL,
    destination TEXT NOT NULL,
    key TEXT NOT NULL,
    message_id TEXT NOT NULL,
    content_type TEXT NOT NULL,
    headers TEXT NOT NULL,
    body {blob} NOT NULL,
    created_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL
);
CREATE INDEX {p}outbox_due ON {p}outbox (due_at, seq);

-- Messages that the broker refuses for good. They keep their seq.
CREATE TABLE {p}refused (
    seq BIGINT PRIMARY KEY,
    lane BIGINT NOT NULL,
    kind TEXT NOT NULL,
    destination TEXT NOT NULL,
    key TEXT NOT NULL,
    message_id TEXT NOT NULL,
    content_type TEXT NOT NULL,
    headers TEXT NOT NULL,
    body {blob} NOT NULL,
    created_at BIGINT NOT NULL,
    reason TEXT NOT NULL,
    refused_at BIGINT NOT NULL
);
CREATE INDEX {p}refused_key ON {p}refused (key);

-- Who sends the messages of a lane.
CREATE TABLE {p}lanes (
    lane BIGINT PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    until_at BIGINT NOT NULL
);
INSERT INTO {p}lanes (lane, owner, epoch, until_at) VALUES
    (0, '', 0, 0), (1, '', 0, 0), (2, '', 0, 0), (3, '', 0, 0),
    (4, '', 0, 0), (5, '', 0, 0), (6, '', 0, 0), (7, '', 0, 0),
    (8, '', 0, 0), (9, '', 0, 0), (10, '', 0, 0), (11, '', 0, 0),
    (12, '', 0, 0), (13, '', 0, 0), (14, '', 0, 0), (15, '', 0, 0);

-- Messages that handlers couldn't handle: parked for another attempt, or dead. Those of a key are
-- in the order of seq.
CREATE TABLE {p}parked (
    seq {serial},
    service TEXT NOT NULL,
    handler TEXT NOT NULL,
    message_id TEXT NOT NULL,
    message_at BIGINT NOT NULL,
    key TEXT NOT NULL,
    is_strict BIGINT NOT NULL,
    is_dead BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    leased_until BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    message TEXT NOT NULL,
    body {blob} NOT NULL,
    body_edited {blob},
    origin TEXT NOT NULL,
    story TEXT,
    letter_id TEXT,
    UNIQUE (handler, message_id)
);
CREATE INDEX {p}parked_key ON {p}parked (service, key, seq);
CREATE INDEX {p}parked_due ON {p}parked (service, is_dead, due_at);

-- What is to happen at a time.
CREATE TABLE {p}timers (
    queue TEXT NOT NULL,
    id TEXT NOT NULL,
    due_at BIGINT NOT NULL,
    payload TEXT NOT NULL,
    PRIMARY KEY (queue, id)
);
CREATE INDEX {p}timers_due ON {p}timers (queue, due_at);

-- What one process does alone.
CREATE TABLE {p}leases (
    name TEXT PRIMARY KEY,
    owner TEXT NOT NULL,
    epoch BIGINT NOT NULL,
    until_at BIGINT NOT NULL
);
