//! Writing a JSON body that holds blobs of the host.
//!
//! Blobs never enter the plugin's memory: the body is a list of pieces, and the host puts the base64 of a blob where a piece
//! names it. Nothing in a user's text can be taken for such a piece, since no text is ever searched for one.

use std::borrow::Borrow;

use serde::Serialize;
use serde_json::value::RawValue;

use crate::{BlobRef, Body, Error, Extra, Piece};

/// A JSON object being written. The first mistake is remembered and returned at the end, so that writing reads as a list.
#[derive(Debug)]
pub struct JsonBody {
    pieces: Vec<Piece>,
    text: Vec<u8>,
    failed: Option<Error>,
}

impl JsonBody {
    /// Writes an object as the body of a request.
    pub fn object(write: impl FnOnce(&mut JsonObject<'_>)) -> Result<Body, Error> {
        let mut body = Self { pieces: Vec::new(), text: Vec::new(), failed: None };
        body.nest_object(write);
        if let Some(error) = body.failed {
            return Err(error);
        }
        body.close_text();
        Ok(Body::Json(body.pieces))
    }

    fn nest_object(&mut self, write: impl FnOnce(&mut JsonObject<'_>)) {
        self.text.push(b'{');
        write(&mut JsonObject { body: self, keys: Vec::new() });
        self.text.push(b'}');
    }

    fn nest_array(&mut self, write: impl FnOnce(&mut JsonArray<'_>)) {
        self.text.push(b'[');
        write(&mut JsonArray { body: self, is_empty: true });
        self.text.push(b']');
    }

    fn value<T: Serialize + ?Sized>(&mut self, value: &T) {
        if let Err(error) = serde_json::to_writer(&mut self.text, value) {
            self.fail(Error::invalid_request(format!("not to be written as JSON: {error}")));
        }
    }

    fn json(&mut self, what: &str, json: &str) {
        if let Err(error) = serde_json::from_str::<&RawValue>(json) {
            self.fail(Error::invalid_request(format!("`{what}` is not JSON: {error}")));
        }
        self.text.extend_from_slice(json.trim().as_bytes());
    }

    fn blob(&mut self, prefix: &str, id: &str) {
        self.value(prefix);
        // Reopens the string just written.
        self.text.pop();
        self.close_text();
        self.pieces.push(Piece::BlobBase64(id.to_owned()));
        self.text.push(b'"');
    }

    fn close_text(&mut self) {
        if !self.text.is_empty() {
            let text = String::from_utf8(std::mem::take(&mut self.text)).expect("JSON is UTF-8");
            self.pieces.push(Piece::Text(text));
        }
    }

    fn fail(&mut self, error: Error) {
        self.failed.get_or_insert(error);
    }
}

/// The inside of an object.
#[derive(Debug)]
pub struct JsonObject<'a> {
    body: &'a mut JsonBody,
    keys: Vec<String>,
}

impl JsonObject<'_> {
    /// A field with any value.
    pub fn field<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) {
        self.key(key);
        self.body.value(value);
    }

    /// A field, unless there is no value.
    pub fn optional<T: Serialize>(&mut self, key: &str, value: Option<T>) {
        if let Some(value) = value {
            self.field(key, &value);
        }
    }

    /// A field whose value is JSON text already.
    pub fn json(&mut self, key: &str, json: &str) {
        self.key(key);
        self.body.json(key, json);
    }

    /// A field that is an object.
    pub fn object(&mut self, key: &str, write: impl FnOnce(&mut JsonObject<'_>)) {
        self.key(key);
        self.body.nest_object(write);
    }

    /// A field that is an array of values; left out where there is none.
    pub fn list<T: Serialize>(&mut self, key: &str, values: &[T]) {
        if !values.is_empty() {
            self.field(key, values);
        }
    }

    /// A field that is an array of objects, one for each of these; left out where there is none.
    ///
    /// ```
    /// use sluice_sdk::JsonBody;
    ///
    /// let body = JsonBody::object(|o| {
    ///     o.objects("stops", ["a", "b"], |o, word| o.field("word", word));
    ///     o.objects("tools", [] as [&str; 0], |o, name| o.field("name", name));
    /// })?;
    /// assert_eq!(format!("{body:?}").matches("word").count(), 2);
    /// assert!(!format!("{body:?}").contains("tools"));
    /// # Ok::<(), sluice_sdk::Error>(())
    /// ```
    pub fn objects<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut JsonObject<'_>, T),
    ) {
        self.each(key, items, |a, item| a.object(|o| write(o, item)));
    }

    /// A field that is an array, with whatever is written for each of these; left out where there is none.
    pub fn each<T>(
        &mut self,
        key: &str,
        items: impl IntoIterator<Item = T>,
        mut write: impl FnMut(&mut JsonArray<'_>, T),
    ) {
        let mut items = items.into_iter().peekable();
        if items.peek().is_some() {
            self.array(key, |a| items.for_each(|item| write(a, item)));
        }
    }

    /// A field that is an array.
    pub fn array(&mut self, key: &str, write: impl FnOnce(&mut JsonArray<'_>)) {
        self.key(key);
        self.body.nest_array(write);
    }

    /// A field that is a string: `prefix`, then the base64 of a blob.
    pub fn blob_base64(&mut self, key: &str, prefix: &str, id: &str) {
        self.key(key);
        self.body.blob(prefix, id);
    }

    /// A field that is an address: of a blob that has a link that, else the bytes themselves, as a data URL.
    pub fn blob_url(&mut self, key: &str, blob: &BlobRef) {
        match &blob.url {
            Some(url) => self.field(key, url),
            None => self.data_url(key, blob),
        }
    }

    /// A field that is a data URL: media type and bytes of a blob.
    pub fn data_url(&mut self, key: &str, blob: &BlobRef) {
        self.blob_base64(key, &format!("data:{};base64,", blob.media_type), &blob.id);
    }

    /// Fields the vocabulary has no word for. A key that was written already stays as it was; what the host tells the plugin
    /// (`x-upstream-…`) is not for the vendor.
    pub fn extras(&mut self, extras: impl IntoIterator<Item: Borrow<Extra>>) {
        for extra in extras {
            let extra = extra.borrow();
            if !extra.key.starts_with("x-upstream-") && !self.keys.contains(&extra.key) {
                self.json(&extra.key, &extra.value);
            }
        }
    }

    /// Makes the body an error.
    pub fn fail(&mut self, error: Error) {
        self.body.fail(error);
    }

    fn key(&mut self, key: &str) {
        if !self.keys.is_empty() {
            self.body.text.push(b',');
        }
        self.body.value(key);
        self.body.text.push(b':');
        self.keys.push(key.to_owned());
    }
}

/// The inside of an array.
#[derive(Debug)]
pub struct JsonArray<'a> {
    body: &'a mut JsonBody,
    is_empty: bool,
}

impl JsonArray<'_> {
    /// Any value.
    pub fn item<T: Serialize + ?Sized>(&mut self, value: &T) {
        self.comma();
        self.body.value(value);
    }

    /// A value that is JSON text already; `what` names it in the error if it is not.
    pub fn json(&mut self, what: &str, json: &str) {
        self.comma();
        self.body.json(what, json);
    }

    /// A string: `prefix`, then the base64 of a blob.
    pub fn blob_base64(&mut self, prefix: &str, id: &str) {
        self.comma();
        self.body.blob(prefix, id);
    }

    /// An object.
    pub fn object(&mut self, write: impl FnOnce(&mut JsonObject<'_>)) {
        self.comma();
        self.body.nest_object(write);
    }

    /// Makes the body an error.
    pub fn fail(&mut self, error: Error) {
        self.body.fail(error);
    }

    fn comma(&mut self) {
        if !self.is_empty {
            self.body.text.push(b',');
        }
        self.is_empty = false;
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::{Value, json};

    use super::*;
    use crate::ErrorKind;

    /// The body as the host sends it, with `BLOB` for each blob.
    fn sent(body: &Body) -> String {
        let Body::Json(pieces) = body else { panic!("{body:?}") };
        let texts = pieces.iter().map(|piece| match piece {
            Piece::Text(text) => text.as_str(),
            Piece::BlobBase64(_) => "BLOB",
        });
        texts.collect()
    }

    #[test]
    fn nested_values_make_one_text() {
        let body = JsonBody::object(|o| {
            o.field("a", "x\"y");
            o.optional("none", None::<u32>);
            o.array("list", |a| {
                a.item(&1);
                a.object(|_| {});
                a.json("raw", " {\"b\" : 2} ");
            });
            o.object("inner", |o| o.field("c", &[true]));
        });

        let body = body.unwrap();
        assert_eq!(sent(&body), r#"{"a":"x\"y","list":[1,{},{"b" : 2}],"inner":{"c":[true]}}"#);
    }

    #[test]
    fn a_blob_is_a_piece_of_its_own() {
        let body = JsonBody::object(|o| o.blob_base64("url", "data:image/png;base64,", "b1"));

        let pieces = vec![
            Piece::Text(r#"{"url":"data:image/png;base64,"#.to_owned()),
            Piece::BlobBase64("b1".to_owned()),
            Piece::Text("\"}".to_owned()),
        ];
        assert_eq!(body, Ok(Body::Json(pieces)));
    }

    #[test]
    fn an_extra_does_not_replace_what_was_written() {
        let extra = |key: &str| Extra { key: key.to_owned(), value: "2".to_owned() };

        let body = JsonBody::object(|o| {
            o.field("a", &1);
            o.extras(&[extra("a"), extra("b"), extra("b")]);
        });

        assert_eq!(sent(&body.unwrap()), r#"{"a":1,"b":2}"#);
    }

    #[test]
    fn text_that_is_not_json_is_an_error_that_names_it() {
        let broken = JsonBody::object(|o| {
            o.json("schema", "{} {}");
            o.field("fine", &1);
        });

        let error = broken.unwrap_err();
        assert_eq!(error.kind, ErrorKind::InvalidRequest);
        assert!(error.detail.unwrap().contains("`schema`"));
    }

    proptest! {
        /// Whatever a user writes comes out as that text, and as nothing else.
        #[test]
        fn text_stays_text(key in ".*", text in ".*", prefix in ".*") {
            let body = JsonBody::object(|o| {
                o.field(&key, &text);
                o.array("list", |a| a.object(|o| o.blob_base64("b", &prefix, "id")));
            });

            let read: Value = serde_json::from_str(&sent(&body.unwrap())).unwrap();
            let mut expected = json!({ "list": [{ "b": format!("{prefix}BLOB") }] });
            if key != "list" {
                expected[key.as_str()] = json!(text);
                prop_assert_eq!(read, expected);
            }
        }
    }
}
