//! Storage and nothing else: sessions and messages, durable before they are acknowledged.
//!
//! Decides nothing about chats, reads no clock and opens no socket. What it refuses, it refuses
//! because of what is stored: an owner, a fence, an id used before.

mod archive;
mod audit;
mod backup;
mod checkpoint;
mod error;
mod import;
mod mark;
mod message;
mod mongodb;
mod outbox;
mod predecessor;
mod reseal;
mod reservation;
mod review;
mod seal;
mod search;
mod session;
mod sqlite;
mod tally;
mod usage;
mod word;

pub use archive::{Archive, Durability};
pub use audit::{AuditEntry, AuditFilter, AuditPage};
pub use backup::{Backup, BackupError, backup};
pub use error::{AppendError, ChangeError, KeysError, OpenError, StoreError};
pub use import::{Became, Conversation, Imported, PastMessage};
pub use mark::Mark;
pub use message::{
    Answer, Appended, ClientKey, Digest, IDEMPOTENCY_WINDOW_MS, Known, MAX_PAGE, Metadata,
    NewMessage, Outcome, StoredMessage,
};
pub use mongodb::{DatabaseSettings, Retry};
pub use outbox::{
    Fate as ParcelFate, MAX_CHANNELS, MAX_WAITING, Notice, Parcel, Posted, Queue, Rate, Waiting,
};
pub use predecessor::{Cipher, Origin, OriginError, Past, Predecessor, Reason, Row, Rows};
pub use reseal::Resealed;
pub use reservation::{
    Claim, Counter, LAPSED_KEPT_MS, MAX_AMOUNT, MAX_CLAIMS, PARTS, ReserveError, Window,
};
pub use review::{
    COUNTED, MAX_OFFSET, ReviewCursor, ReviewPage, ReviewRequest, Reviewed, SessionFilter,
    SessionSort,
};
pub use seal::{Form, Key, KeyId, Keys, SealError};
pub use session::{SEARCHED_SESSIONS, SessionCursor, SessionPage, StoredSession, Swept};
pub use tally::Totals;
pub use usage::CallUsage;
