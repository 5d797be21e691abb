//! How numbers and words stand in documents. Reading checks them: what does not parse is damage,
//! never a default.

use std::sync::Arc;

use mongodb::bson::{Bson, Document};
use sluice_chat::id::Instant;

use crate::error::StoreError;
use crate::word::Worded;

/// What was wrong with a value.
#[derive(Debug, thiserror::Error)]
enum ValueError {
    /// Its field is missing or holds something else.
    #[error("the field {0} cannot be read")]
    Unreadable(&'static str),
    /// The database's numbers end before.
    #[error("the number {0} is beyond what is stored")]
    Beyond(u64),
}

/// What is missing or is something else.
fn unreadable(name: &'static str) -> StoreError {
    StoreError::Damaged { source: Arc::new(ValueError::Unreadable(name)) }
}

/// A number as it is stored: signed.
pub(crate) fn number(value: u64) -> Result<i64, StoreError> {
    i64::try_from(value)
        .map_err(|_| StoreError::Rejected { source: Arc::new(ValueError::Beyond(value)) })
}

/// What becomes of some fields: those with a value are set, the others taken away.
pub(crate) fn change(fields: impl IntoIterator<Item = (&'static str, Option<Bson>)>) -> Document {
    let (mut set, mut unset) = (Document::new(), Document::new());
    for (name, value) in fields {
        match value {
            Some(value) => set.insert(name, value),
            None => unset.insert(name, ""),
        };
    }
    let mut change = Document::new();
    for (operator, fields) in [("$set", set), ("$unset", unset)] {
        if !fields.is_empty() {
            change.insert(operator, fields);
        }
    }
    change
}

/// The fields of a document, read one by one.
pub(crate) struct Fields<'d>(pub(crate) &'d Document);

impl Fields<'_> {
    fn read<T>(
        &self,
        name: &'static str,
        read: impl FnOnce(&Bson) -> Option<T>,
    ) -> Result<Option<T>, StoreError> {
        match self.0.get(name) {
            None => Ok(None),
            Some(value) => read(value).map(Some).ok_or_else(|| unreadable(name)),
        }
    }

    pub(crate) fn text(&self, name: &'static str) -> Result<Option<String>, StoreError> {
        self.read(name, |value| value.as_str().map(str::to_owned))
    }

    pub(crate) fn the_text(&self, name: &'static str) -> Result<String, StoreError> {
        self.text(name)?.ok_or_else(|| unreadable(name))
    }

    pub(crate) fn word<T: Worded>(&self, name: &'static str) -> Result<Option<T>, StoreError> {
        self.read(name, |value| T::of(value.as_str()?))
    }

    pub(crate) fn the_word<T: Worded>(&self, name: &'static str) -> Result<T, StoreError> {
        self.word(name)?.ok_or_else(|| unreadable(name))
    }

    pub(crate) fn number(&self, name: &'static str) -> Result<Option<u64>, StoreError> {
        self.read(name, |value| u64::try_from(value.as_i64()?).ok())
    }

    pub(crate) fn the_number(&self, name: &'static str) -> Result<u64, StoreError> {
        self.number(name)?.ok_or_else(|| unreadable(name))
    }

    pub(crate) fn instant(&self, name: &'static str) -> Result<Option<Instant>, StoreError> {
        Ok(self.number(name)?.map(Instant))
    }

    pub(crate) fn flag(&self, name: &'static str) -> Result<bool, StoreError> {
        Ok(self.read(name, Bson::as_bool)?.unwrap_or(false))
    }

    /// A list of documents; what is missing is empty.
    pub(crate) fn documents(&self, name: &'static str) -> Result<Vec<&Document>, StoreError> {
        let Some(value) = self.0.get(name) else { return Ok(Vec::new()) };
        let documents =
            value.as_array().and_then(|all| all.iter().map(Bson::as_document).collect());
        documents.ok_or_else(|| unreadable(name))
    }

    pub(crate) fn the_document(&self, name: &'static str) -> Result<&Document, StoreError> {
        self.0.get(name).and_then(Bson::as_document).ok_or_else(|| unreadable(name))
    }

    pub(crate) fn bytes<const N: usize>(&self, name: &'static str) -> Result<[u8; N], StoreError> {
        let bytes = self.read(name, |value| {
            let Bson::Binary(binary) = value else { return None };
            binary.bytes.as_slice().try_into().ok()
        })?;
        bytes.ok_or_else(|| unreadable(name))
    }
}
