-- The transaction of a message to send decides when it may be sent, and wakes the relays once it is
-- committed.
ALTER TABLE {p}outbox ADD COLUMN xid XID8 NOT NULL DEFAULT pg_current_xact_id();
CREATE FUNCTION {p}outbox_notify() RETURNS TRIGGER LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify(TG_ARGV[0], '');
    RETURN NULL;
END
$$;
CREATE TRIGGER {p}outbox_notify AFTER INSERT ON {p}outbox
    FOR EACH STATEMENT EXECUTE FUNCTION {p}outbox_notify('{p}outbox');
