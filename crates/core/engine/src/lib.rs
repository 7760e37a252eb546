//! Decides what happens to logs, ledgers, cursors, groups and exchanges; knows no protocol and does no I/O.
