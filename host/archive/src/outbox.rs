//! The outbox: notices that somebody is to be told, until they were.
//!
//! A notice is posted once and addressed to several channels, each of which is tried on its own until
//! it took it or was given up. It stays for a while after that, so that the same one posted again is
//! recognised, and so that one can count how often somebody was told of something.

use sluice_chat::id::{Instant, NoticeId};

/// Notices that wait for one channel at most. Beyond that it is not told of a new one: those that wait
/// are older, and one of them says that something is wrong already.
pub const MAX_WAITING: u64 = 10_000;
/// Channels of one notice at most; further ones are left out.
pub const MAX_CHANNELS: usize = 64;

/// Something to be told.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Notice {
    /// Names it: the same id again is the same notice.
    pub id: NoticeId,
    /// What sort of thing happened.
    pub kind: String,
    /// What it is about: notices alike in this are bounded in number.
    pub key: String,
    /// When it happened.
    pub at: Instant,
    /// The rest of it, as whoever renders it reads it. Not sealed: nothing that was said in a chat
    /// belongs into it.
    pub body: String,
}

/// How often somebody may be told of the same thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// So many notices of one key…
    pub most: u64,
    /// …within any time of this length, in milliseconds.
    pub window_ms: u64,
}

/// What became of a notice that was posted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Posted {
    /// It waits for its channels.
    Waiting,
    /// It waits for some of its channels; for the others as many wait as may.
    InPart,
    /// It was posted before.
    Again,
    /// There were as many of its key lately as there may be.
    TooMany,
    /// For each of its channels as many wait as may.
    Full,
}

/// A notice on its way to one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Parcel {
    /// What is told.
    pub notice: Notice,
    /// To whom.
    pub channel: String,
    /// How often it was tried before.
    pub attempts: u32,
    /// When it is to be tried next.
    pub next: Instant,
}

/// What comes of a try.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is over: the channel took it, or nobody tries any more.
    Done,
    /// It is tried again then.
    Again(Instant),
}

/// What waits.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Waiting {
    /// Notices that some channel has still to be told.
    pub notices: u64,
    /// Each channel that something waits for, in the order of their names.
    pub queues: Vec<Queue>,
}

/// What waits for one channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Queue {
    /// Whom it is for.
    pub channel: String,
    /// How many notices.
    pub notices: u64,
    /// When the first of them is to be tried.
    pub next: Instant,
}

impl Waiting {
    /// Those of these channels that are to be told of one more.
    pub(crate) fn with_room<'a>(&self, channels: &[&'a str]) -> Vec<&'a str> {
        let is_full = |channel: &str| {
            let queue = self.queues.iter().find(|queue| queue.channel == channel);
            queue.is_some_and(|queue| queue.notices >= MAX_WAITING)
        };
        channels.iter().copied().filter(|channel| !is_full(channel)).collect()
    }
}

impl Notice {
    /// The channels it goes to, each once.
    pub(crate) fn addressed(channels: &[String]) -> Vec<&str> {
        let mut addressed: Vec<&str> = Vec::new();
        for channel in channels {
            if addressed.len() < MAX_CHANNELS && !addressed.contains(&channel.as_str()) {
                addressed.push(channel);
            }
        }
        addressed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_channel_that_takes_nothing_fills_its_own_queue_alone() {
        let queue = |channel: &str, notices| Queue {
            channel: channel.to_owned(),
            notices,
            next: Instant(0),
        };
        let queues = vec![queue("hook", MAX_WAITING), queue("mail", MAX_WAITING - 1)];
        let waiting = Waiting { notices: MAX_WAITING, queues };

        assert_eq!(waiting.with_room(&["hook", "mail", "other"]), ["mail", "other"]);
    }
}
