//! What the tests' stories are made of.

use std::path::PathBuf;

use sluice_archive::{
    Answer, Archive, ClientKey, Digest, Metadata, NewMessage, Outcome, StoredMessage,
};
use sluice_chat::answer::{Ending, Tokens};
use sluice_chat::id::{ClientMessageId, Epoch, Fence, Instant, MessageId, Seq, SessionId, UserId};
use sluice_chat::turn::Sender;
use tempfile::TempDir;

/// The fence of a session nobody took over.
pub(crate) const FREE: Fence = Fence(0);

/// An archive in a folder that goes with it.
pub(crate) struct Place {
    pub(crate) archive: Archive,
    pub(crate) folder: TempDir,
}

impl Place {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let archive = Archive::open(&folder.path().join("chat.db")).expect("an archive");
        Self { archive, folder }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join("chat.db")
    }

    /// Closes and opens again, as a restart in good order does.
    pub(crate) async fn reopen(self) -> Self {
        self.archive.close().await;
        let archive = Archive::open(&self.path()).expect("an archive");
        Self { archive, folder: self.folder }
    }

    /// Everything in a session, once the writes before are done, checkpoints included.
    pub(crate) async fn settled(&self, of: &SessionId) -> Vec<StoredMessage> {
        self.archive.ping().await.expect("written");
        self.archive.messages(of, None, usize::MAX).await.expect("read")
    }
}

pub(crate) fn user(name: &str) -> UserId {
    UserId::parse(name).expect("an id")
}

pub(crate) fn session(name: &str) -> SessionId {
    SessionId::parse(name).expect("an id")
}

pub(crate) fn message_id(name: impl AsRef<str>) -> MessageId {
    MessageId::parse(name.as_ref()).expect("an id")
}

/// What Ada says in the session `s`.
pub(crate) fn message(seq: u64) -> NewMessage {
    NewMessage {
        session: session("s"),
        owner: user("ada"),
        fence: FREE,
        epoch: Epoch(1),
        reserve_to: Seq(1_024),
        model: None,
        name: None,
        seq: Seq(seq),
        id: message_id(format!("m{seq}")),
        sender: Sender::User,
        text: format!("text {seq}"),
        at: Instant(1_000 + seq),
        client: None,
        metadata: Metadata::new(),
    }
}

/// A client message id of Ada's, standing for some body.
pub(crate) fn client(id: &str, body: u8) -> ClientKey {
    ClientKey {
        user: user("ada"),
        id: ClientMessageId::parse(id).expect("an id"),
        digest: Digest([body; 32]),
    }
}

/// What the model says in the session `s`.
pub(crate) fn answer(seq: u64, text: &str) -> Answer {
    Answer {
        session: session("s"),
        fence: FREE,
        id: message_id(format!("a{seq}")),
        in_reply_to: message_id("m1"),
        first_seq: Seq(seq),
        last_seq: Seq(seq + text.len() as u64),
        model: None,
        text: text.to_owned(),
        upstream_request_id: None,
        started: Instant(2_000),
        first_piece: None,
    }
}

pub(crate) fn ended(ending: Ending, input: u64, output: u64) -> Outcome {
    let tokens = Some(Tokens { input, output, estimated: false });
    Outcome { ending, tokens, at: Instant(3_000) }
}
