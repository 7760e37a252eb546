//! The shard's part of the link to other shards: what is on disk is sent, what was taken is
//! acknowledged once it is on disk.

use std::sync::Arc;

use bytes::Bytes;
use stele_base_types::{ShardId, Timestamp};
use stele_core_engine::{CatalogueRecord, Durability, LinkCommand, LinkNumber, LinkRecord};

use super::{Shard, definitions::log_change};
use crate::mailbox::Mailbox;

/// A shard's end of the links to it: rarely used, and taken up before the requests of fronts.
pub type LinkInbox = Arc<Mailbox<LinkNews>>;

/// What shards tell each other.
#[derive(Clone, Debug)]
pub enum LinkNews {
    /// One shard has a command for another.
    Command {
        /// The shard that sends it.
        from: ShardId,
        /// Its number, by which the sender counts its commands to this taker.
        number: LinkNumber,
        /// What is to be done.
        command: LinkCommand,
        /// Of a move: the record, a batch of its own. `None` where it is gone.
        body: Option<Bytes>,
    },
    /// The commands up to this one are on the disk of their taker.
    Acknowledged {
        /// The taker.
        by: ShardId,
        /// The number of the last of them.
        through: LinkNumber,
    },
}

/// What is told outside of the shard once it is on disk, in the order in which it was decided.
#[derive(Debug)]
pub(super) enum Announcement {
    /// To the replica by which fronts route: the catalogue has changed.
    Definition(CatalogueRecord),
    /// To a shard: a command, with what travels beside it.
    Command {
        to: ShardId,
        number: LinkNumber,
        command: LinkCommand,
        body: Option<Bytes>,
    },
    /// To a shard: its command was taken.
    Taken(ShardId, LinkNumber),
}

impl Shard {
    /// Takes up what another shard has told.
    pub fn handle_link(&mut self, news: LinkNews, now: Timestamp) {
        self.now = now;
        match news {
            LinkNews::Command {
                from,
                number,
                command,
                body,
            } => {
                let is_known = number <= self.state.links.taken(from);
                let decision = match &command {
                    LinkCommand::Move(moving) if !self.has_room_for(body.as_ref()) => {
                        self.state.refuse(from, number, moving, now)
                    }
                    _ => self.state.take(from, number, command, now),
                };
                if !self.apply_own_with(decision, body.as_ref()) && is_known {
                    // The acknowledgement may have been lost. It waits for the disk like the first.
                    self.announce(Announcement::Taken(from, number));
                }
            }
            LinkNews::Acknowledged { by, through } => {
                let decision = self.state.acknowledged(by, through);
                self.apply_own(decision);
            }
        }
        self.dispatch();
    }

    /// Sends all again that isn't acknowledged: the link is new, or has lost something. May wait
    /// for the disk, which has the bodies of records that are moved.
    pub fn resend(&self) {
        for (to, number, command) in self.state.links.unacknowledged() {
            // What isn't on disk yet will be sent when it is.
            if self.sent_before(to, number) {
                let body = self.body_of(command);
                self.send_command(to, number, command.clone(), body);
            }
        }
    }

    /// Commands that a shard is behind with. Whoever drives this one takes up no more requests
    /// while that is over its limit.
    pub fn link_backlog(&self) -> usize {
        self.state.links.backlog()
    }

    /// The bytes of the records that are on their way to logs of other shards, likewise.
    pub fn link_backlog_bytes(&self) -> u64 {
        self.state.links.backlog_bytes()
    }

    pub(super) fn note_link(&mut self, record: &LinkRecord, body: Option<&Bytes>) {
        let announcement = match record {
            LinkRecord::Sent { to, command } => {
                let has_body = matches!(command, LinkCommand::Move(_));
                Announcement::Command {
                    to: *to,
                    number: self.state.links.sent(*to),
                    command: command.clone(),
                    body: body.filter(|_| has_body).cloned(),
                }
            }
            LinkRecord::Taken { from } => Announcement::Taken(*from, self.state.links.taken(*from)),
            LinkRecord::Acknowledged { .. } => return,
        };
        self.announce(announcement);
    }

    /// Tells something once all that has been decided so far is on disk.
    pub(super) fn announce(&mut self, announcement: Announcement) {
        match self.unreleased_for(Durability::Synced) {
            Some(unreleased) => unreleased.announcements.push(announcement),
            None => self.announce_now(vec![announcement]),
        }
    }

    /// Tells what is on disk. A log is opened by its shard before fronts see its definition, and
    /// forgotten after; so the order is that of the decisions.
    pub(super) fn announce_now(&mut self, announcements: Vec<Announcement>) {
        for announcement in announcements {
            match announcement {
                Announcement::Definition(record) => {
                    let mut replica = self.replica.write();
                    log_change(&replica, &record);
                    replica.apply(&record);
                }
                Announcement::Command {
                    to,
                    number,
                    command,
                    body,
                } => self.send_command(to, number, command, body),
                Announcement::Taken(from, through) => {
                    let by = self.id;
                    let news = LinkNews::Acknowledged { by, through };
                    self.links[usize::from(from.0)].push(news);
                }
            }
        }
    }

    fn sent_before(&self, to: ShardId, number: LinkNumber) -> bool {
        let unreleased = self.unreleased.iter().flat_map(|it| &it.announcements);
        let mut unsent = unreleased.filter_map(|it| match it {
            Announcement::Command {
                to: whose, number, ..
            } if *whose == to => Some(*number),
            _ => None,
        });
        unsent.next().is_none_or(|first| number < first)
    }

    fn send_command(
        &self,
        to: ShardId,
        number: LinkNumber,
        command: LinkCommand,
        body: Option<Bytes>,
    ) {
        let from = self.id;
        self.links[usize::from(to.0)].push(LinkNews::Command {
            from,
            number,
            command,
            body,
        });
    }
}
