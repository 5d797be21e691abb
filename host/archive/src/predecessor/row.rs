//! One document of the predecessor, read as a conversation. Pure; nothing in a document is trusted:
//! what is odd is mended where no word is lost by it, and otherwise left out with a reason.

use mongodb::bson::RawBson;
use mongodb::bson::raw::{RawArray, RawBsonRef, RawDocument, RawElement};
use mongodb::bson::{Bson, RawDocumentBuf};
use ring::digest::{SHA256, digest};
use sluice_chat::id::{Instant, MessageId, ModelId, Seq, SessionId, ShareToken, UserId};
use sluice_chat::turn::{Mode, Sender};

use super::Row;
use super::cipher::{Cipher, Locked};
use crate::import::{Conversation, PastMessage};
use crate::message::Metadata;
use crate::word::Worded as _;

/// Longest name of a conversation, in characters.
const NAME_CHARS: usize = 200;
/// Most that is believed of a count: tokens, milliseconds.
const LARGEST_COUNT: u64 = 1 << 40;
/// Longest id that is repeated to a person, in characters.
const SHOWN_CHARS: usize = 140;

/// A document as a conversation, and what of it is none.
#[derive(Debug)]
pub struct Past {
    /// The conversation, without what could not be read.
    pub conversation: Conversation,
    /// Messages that could not be read, counted from one, and why.
    pub left_out: Vec<(u64, Reason)>,
    /// Whether something was put right: a time that cannot be, a name with control characters, bytes that
    /// are no text.
    pub mended: bool,
    /// Whether there are fields that the predecessor does not know.
    pub surplus: bool,
}

/// Why a conversation or a message is not taken over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Reason {
    /// The document is not what BSON is.
    #[error("it is not a sound document")]
    Unsound,
    /// The conversation has no id, or one that no session can have.
    #[error("its _id is not the id of a session")]
    NoId,
    /// The conversation is nobody's.
    #[error("its uid is not the id of a user")]
    NoOwner,
    /// The messages are something else.
    #[error("its msgs is not a list")]
    NoList,
    /// A message is something else.
    #[error("it is not a document")]
    NoDocument,
    /// Nobody we know said it.
    #[error("its sender is none")]
    NoSender,
    /// What was said is something else than text.
    #[error("its content is not text")]
    NoText,
    /// What was said cannot be decrypted.
    #[error("its content is encrypted under a key that is not configured, or damaged")]
    Locked,
    /// No row can hold it.
    #[error("it is too large to be stored")]
    TooLarge,
    /// Its places were taken by what was said here since an earlier import.
    #[error("the conversation went on here since an earlier import")]
    Displaced,
    /// Its id is taken here.
    #[error("its id is that of somebody else's session here")]
    Foreign,
    /// It contradicts what is stored here.
    #[error("it contradicts what is in the archive")]
    Refused,
}

impl Row {
    /// Reads it. `now` is the time of the import: nothing can have happened later.
    pub fn read(&self, cipher: &Cipher, now: Instant) -> Result<Past, Reason> {
        let fields = Session::of(&self.0)?;
        let mut clock = Clock { now, wrong: false };
        let id = fields.id.as_deref().and_then(SessionId::parse).ok_or(Reason::NoId)?;
        let owner = fields.owner.as_deref().and_then(UserId::parse).ok_or(Reason::NoOwner)?;
        let (started, touched) = (clock.read(fields.started), clock.read(fields.touched));
        let (ended, made) = (clock.read(fields.ended), clock.read(fields.made));
        let Messages { said, left_out, surplus } = match fields.messages {
            None => Messages::default(),
            Some(messages) => Messages::of(messages, cipher)?,
        };
        let first = said.iter().find_map(|message| clock.read(message.at));
        let created = started.or(made).or(first).or(ended).unwrap_or(now);
        let mut mended = fields.odd.mended || started.is_none();
        let mut before = created;
        let mut asked = None;
        let mut messages = Vec::with_capacity(said.len());
        for said in said {
            mended |= said.mended || said.at.is_none();
            // Without a time of its own it came when the one before it did.
            before = clock.read(said.at).unwrap_or(before);
            let message = message_id(&id, said.seq);
            let in_reply_to = if said.sender == Sender::Ai { asked.clone() } else { None };
            if said.sender == Sender::User {
                asked = Some(message.clone());
            }
            messages.push(PastMessage {
                id: message,
                seq: said.seq,
                sender: said.sender,
                text: said.text,
                at: before,
                in_reply_to,
                metadata: said.metadata,
            });
        }
        let latest = messages.iter().map(|message| message.at).max().unwrap_or(created);
        let (name, tidied) = name(fields.name);
        let model = fields.model.as_deref().and_then(ModelId::parse);
        let share = fields.share.as_deref().and_then(ShareToken::parse);
        let strange = |text: &Option<String>| text.as_ref().is_some_and(|text| !text.is_empty());
        mended |= tidied
            || clock.wrong
            || (model.is_none() && strange(&fields.model))
            || (share.is_none() && strange(&fields.share))
            || ended.is_some_and(|ended| ended < created);
        let waits = fields.wants_help && ended.is_none();
        let conversation = Conversation {
            id,
            owner,
            name,
            model,
            mode: if waits { Mode::Waiting } else { Mode::Bot },
            created,
            last_activity: latest.max(touched.unwrap_or(created)),
            ended: ended.map(|ended| ended.max(created)),
            assisted: fields.assisted,
            tokens: fields.tokens,
            average_ms: fields.average_ms,
            slowest_ms: fields.slowest_ms,
            share,
            messages,
        };
        Ok(Past { conversation, left_out, mended, surplus: surplus || fields.odd.surplus })
    }

    /// Its id as a person may see it, whatever it is.
    pub fn label(&self) -> String {
        let id = self.0.iter_elements().flatten().find(|element| element.key().as_str() == "_id");
        let label = match id.map(|id| id.value_utf8_lossy()) {
            None => "without an _id".to_owned(),
            Some(Ok(RawBson::String(text))) => text,
            Some(Ok(other)) => Bson::try_from(other)
                .map_or_else(|_| "unreadable".to_owned(), |other| other.to_string()),
            Some(Err(_)) => "unreadable".to_owned(),
        };
        let shown: String = label.chars().take(SHOWN_CHARS).collect();
        shown.escape_debug().to_string()
    }
}

impl From<RawDocumentBuf> for Row {
    fn from(document: RawDocumentBuf) -> Self {
        Self(document)
    }
}

/// Reads times, and knows which cannot be.
struct Clock {
    now: Instant,
    wrong: bool,
}

impl Clock {
    /// A time, if it is one: after the epoch, and at the latest now.
    fn read(&mut self, at: Option<i64>) -> Option<Instant> {
        let at = u64::try_from(at?).ok().filter(|at| *at > 0).map(Instant);
        self.wrong |= at.is_none_or(|at| at > self.now);
        at.map(|at| at.min(self.now))
    }
}

/// The id of the message at a place: the same each time.
fn message_id(session: &SessionId, seq: Seq) -> MessageId {
    let place = [b"sluice import ", session.as_str().as_bytes(), &[0], &seq.0.to_be_bytes()];
    let hash = digest(&SHA256, &place.concat());
    let (number, _) = hash.as_ref().split_first_chunk().expect("a hash has 32 bytes");
    MessageId::parse(&format!("{:032x}", u128::from_be_bytes(*number)))
        .expect("hexadecimal digits are an id")
}

/// A name without what no name may have. Says whether something was taken out.
fn name(stored: Option<Text>) -> (Option<String>, bool) {
    let Some(Text { text, whole }) = stored else { return (None, false) };
    let kept = text.chars().filter(|c| whole || *c != char::REPLACEMENT_CHARACTER);
    let plain: String = kept.map(|c| if c.is_control() { ' ' } else { c }).collect();
    let name: String = plain.trim().chars().take(NAME_CHARS).collect();
    let tidied = name != text;
    ((!name.is_empty()).then_some(name), tidied)
}

/// A text, and whether all its bytes were one.
#[derive(Debug, PartialEq, Eq)]
struct Text {
    text: String,
    whole: bool,
}

/// The value of an element, if it is text.
fn text(element: &RawElement<'_>) -> Option<Text> {
    if let Ok(RawBsonRef::String(text)) = element.value() {
        return Some(Text { text: text.to_owned(), whole: true });
    }
    match element.value_utf8_lossy() {
        Ok(RawBson::String(text)) => Some(Text { text, whole: false }),
        _ => None,
    }
}

/// The value of an element, if it is a number that counts something.
fn count(element: &RawElement<'_>) -> Option<u64> {
    let count = match element.value() {
        Ok(RawBsonRef::Int32(number)) => u64::try_from(number).ok(),
        Ok(RawBsonRef::Int64(number)) => u64::try_from(number).ok(),
        // The words of a whole number: the shortest way that loses nothing.
        Ok(RawBsonRef::Double(number)) => format!("{:.0}", number.trunc()).parse().ok(),
        _ => None,
    };
    count.filter(|count| *count <= LARGEST_COUNT)
}

/// The value of an element, if it is a time: milliseconds since the epoch.
fn moment(element: &RawElement<'_>) -> Option<i64> {
    match element.value() {
        Ok(RawBsonRef::DateTime(at)) => Some(at.timestamp_millis()),
        _ => None,
    }
}

/// The value of an element, if it is a truth.
fn flag(element: &RawElement<'_>) -> Option<bool> {
    match element.value() {
        Ok(RawBsonRef::Boolean(flag)) => Some(flag),
        _ => None,
    }
}

fn is_nothing(element: &RawElement<'_>) -> bool {
    matches!(element.value(), Ok(RawBsonRef::Null | RawBsonRef::Undefined))
}

/// The fields of a conversation.
#[derive(Default)]
struct Session<'r> {
    id: Option<String>,
    owner: Option<String>,
    name: Option<Text>,
    model: Option<String>,
    messages: Option<&'r RawArray>,
    started: Option<i64>,
    ended: Option<i64>,
    touched: Option<i64>,
    made: Option<i64>,
    assisted: bool,
    wants_help: bool,
    tokens: u64,
    average_ms: u64,
    slowest_ms: u64,
    share: Option<String>,
    odd: Odd,
}

/// What is not as it should be, and costs no word.
#[derive(Default)]
struct Odd {
    mended: bool,
    surplus: bool,
}

impl<'r> Session<'r> {
    fn of(document: &'r RawDocument) -> Result<Self, Reason> {
        let mut found = Self::default();
        for element in document.iter_elements() {
            let element = element.map_err(|_| Reason::Unsound)?;
            if is_nothing(&element) {
                continue;
            }
            let whole = |text: Option<Text>| text.filter(|text| text.whole).map(|text| text.text);
            // Whether the field holds what it should.
            let sound = match element.key().as_str() {
                "_id" => put(&mut found.id, whole(text(&element))),
                "uid" => put(&mut found.owner, whole(text(&element))),
                "nm" => put(&mut found.name, text(&element)),
                "modelId" => put(&mut found.model, whole(text(&element))),
                "shareToken" => put(&mut found.share, whole(text(&element))),
                "ts" => put(&mut found.started, moment(&element)),
                "endTs" => put(&mut found.ended, moment(&element)),
                "lastActivity" => put(&mut found.touched, moment(&element)),
                "_ts" => put(&mut found.made, moment(&element)),
                "adminAssisted" => set(&mut found.assisted, flag(&element)),
                "helpRequested" => set(&mut found.wants_help, flag(&element)),
                "totalTokens" => set(&mut found.tokens, count(&element)),
                "avgRespTime" => set(&mut found.average_ms, count(&element)),
                "maxRespTime" => set(&mut found.slowest_ms, count(&element)),
                "msgs" => match element.value() {
                    Ok(RawBsonRef::Array(messages)) => put(&mut found.messages, Some(messages)),
                    _ => return Err(Reason::NoList),
                },
                // Follows from the others, or has no place here: the audit knows who assisted.
                "dur" | "_mt" | "assistingAdminId" | "assistingAdminName" => true,
                _ => {
                    found.odd.surplus = true;
                    true
                }
            };
            found.odd.mended |= !sound;
        }
        Ok(found)
    }
}

fn put<T>(place: &mut Option<T>, value: Option<T>) -> bool {
    *place = value;
    place.is_some()
}

fn set<T>(place: &mut T, value: Option<T>) -> bool {
    match value {
        Some(value) => {
            *place = value;
            true
        }
        None => false,
    }
}

/// What was said in a conversation, as far as it can be read.
#[derive(Default)]
struct Messages {
    said: Vec<Said>,
    left_out: Vec<(u64, Reason)>,
    surplus: bool,
}

/// One message.
struct Said {
    seq: Seq,
    sender: Sender,
    text: String,
    at: Option<i64>,
    metadata: Metadata,
    mended: bool,
}

impl Messages {
    fn of(messages: &RawArray, cipher: &Cipher) -> Result<Self, Reason> {
        let mut all = Self::default();
        for (number, element) in (1_u64..).zip(messages.iter_elements()) {
            let element = element.map_err(|_| Reason::Unsound)?;
            let Ok(RawBsonRef::Document(document)) = element.value() else {
                all.left_out.push((number, Reason::NoDocument));
                continue;
            };
            match Said::of(Seq(number), document, cipher) {
                Ok((said, surplus)) => {
                    all.surplus |= surplus;
                    all.said.push(said);
                }
                Err(reason) => all.left_out.push((number, reason)),
            }
        }
        Ok(all)
    }
}

impl Said {
    /// Reads one, and whether it has fields that nobody knows.
    fn of(seq: Seq, document: &RawDocument, cipher: &Cipher) -> Result<(Self, bool), Reason> {
        let mut said = Self {
            seq,
            sender: Sender::User,
            text: String::new(),
            at: None,
            metadata: Metadata::new(),
            mended: false,
        };
        let mut surplus = false;
        for element in document.iter_elements() {
            let element = element.map_err(|_| Reason::Unsound)?;
            if is_nothing(&element) {
                continue;
            }
            match element.key().as_str() {
                "content" => {
                    let Text { text, whole } = text(&element).ok_or(Reason::NoText)?;
                    let (text, mended) = cipher.open(text).map_err(|Locked| Reason::Locked)?;
                    said.text = text;
                    said.mended |= mended || !whole;
                }
                "sender" => {
                    let sender = text(&element).and_then(|text| Sender::of(&text.text));
                    said.sender = sender.ok_or(Reason::NoSender)?;
                }
                "ts" => said.mended |= !put(&mut said.at, moment(&element)),
                "fileId" => said.note("file_id", &element),
                "fileUrl" => said.note("file_url", &element),
                "meta" => match element.value() {
                    Ok(RawBsonRef::Document(pairs)) => {
                        for pair in pairs.iter_elements() {
                            let pair = pair.map_err(|_| Reason::Unsound)?;
                            said.note(pair.key().as_str(), &pair);
                        }
                    }
                    _ => said.mended = true,
                },
                _ => surplus = true,
            }
        }
        Ok((said, surplus))
    }

    /// Keeps a value that goes with it, as text.
    fn note(&mut self, name: &str, element: &RawElement<'_>) {
        let value = match text(element) {
            Some(Text { text, whole }) => {
                self.mended |= !whole;
                Some(text)
            }
            None if is_nothing(element) => None,
            None => {
                self.mended = true;
                let value =
                    element.value_utf8_lossy().ok().and_then(|raw| Bson::try_from(raw).ok());
                value.map(|value| value.to_string())
            }
        };
        if let Some(value) = value {
            self.metadata.insert(name.to_owned(), value);
        }
    }
}

#[cfg(test)]
mod tests;
