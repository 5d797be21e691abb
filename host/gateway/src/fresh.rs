//! Fresh names that nobody can guess.

use sluice_chat::id::{AuditId, MessageId, NoticeId, SessionId, ShareToken};
use uuid::Uuid;

/// A session's id: 32 random hexadecimal digits.
pub(crate) fn session() -> SessionId {
    SessionId::parse(&Uuid::new_v4().simple().to_string()).expect("a uuid is a valid id")
}

/// A message's id; ids made later sort later.
pub(crate) fn message() -> MessageId {
    MessageId::parse(&Uuid::now_v7().simple().to_string()).expect("a uuid is a valid id")
}

/// An id for a line of the record of what operators do; ids made later sort later.
pub(crate) fn audit() -> AuditId {
    AuditId::parse(&Uuid::now_v7().simple().to_string()).expect("a uuid is a valid id")
}

/// An id for a notice; ids made later sort later.
pub(crate) fn notice() -> NoticeId {
    NoticeId::parse(&Uuid::now_v7().simple().to_string()).expect("a uuid is a valid id")
}

/// What a session is shared by: 32 random hexadecimal digits.
pub(crate) fn share() -> ShareToken {
    ShareToken::parse(&format!("{:032x}", rand::random::<u128>()))
        .expect("digits are a valid token")
}

/// Names one failure in the log and to the client.
pub(crate) fn trace() -> String {
    format!("{:016x}", rand::random::<u64>())
}
