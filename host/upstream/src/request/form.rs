//! A form as it is sent, `multipart/form-data` (RFC 7578): parts between borders that nobody can guess, so that what a part holds is never
//! taken for another part.

use reqwest::header::HeaderValue;
use sluice_chat::exchange::{FormPart, FormValue};

use super::RequestError;
use super::body::{Part, blob};
use crate::blob::Blobs;

/// Most parts of a form.
const MOST_PARTS: usize = 64;
/// Longest name of a part, of a file, or of a media type, in bytes.
const LONGEST_NAME: usize = 255;

/// A form, ready to be sent.
pub(super) struct Form {
    pub(super) parts: Vec<Part>,
    pub(super) content_type: HeaderValue,
}

impl Form {
    /// Writes borders and headers around the parts.
    pub(super) fn write(parts: Vec<FormPart>, blobs: &Blobs) -> Result<Self, RequestError> {
        if parts.len() > MOST_PARTS {
            return Err(RequestError::FormPart { number: MOST_PARTS });
        }
        let border = format!("sluice-{:032x}", rand::random::<u128>());
        let mut written = Vec::new();
        for (number, part) in parts.into_iter().enumerate() {
            let head = head(&border, &part).ok_or(RequestError::FormPart { number })?;
            written.push(Part::Bytes(head.into()));
            written.push(match part.value {
                FormValue::Text(text) => Part::Text(text.into()),
                FormValue::Blob(id) => Part::Bytes(blob(blobs, &id)?),
            });
            written.push(Part::Bytes("\r\n".into()));
        }
        written.push(Part::Bytes(format!("--{border}--\r\n").into()));
        let content_type = format!("multipart/form-data; boundary={border}");
        let content_type = HeaderValue::try_from(content_type)
            .map_err(|_| RequestError::FormPart { number: 0 })?;
        Ok(Self { parts: written, content_type })
    }
}

/// What stands before a part. None where something of it cannot stand there.
fn head(border: &str, part: &FormPart) -> Option<String> {
    let FormPart { name, file_name, media_type, value: _ } = part;
    let mut head =
        format!("--{border}\r\nContent-Disposition: form-data; name=\"{}\"", quoted(name)?);
    if let Some(file_name) = file_name {
        head = format!("{head}; filename=\"{}\"", quoted(file_name)?);
    }
    if let Some(media_type) = media_type {
        let plain = (1..=LONGEST_NAME).contains(&media_type.len())
            && media_type.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic());
        head = format!("{head}\r\nContent-Type: {}", plain.then_some(media_type)?);
    }
    Some(head + "\r\n\r\n")
}

/// A name as browsers write it: three characters are escaped, the others stay.
fn quoted(name: &str) -> Option<String> {
    let fits = name.len() <= LONGEST_NAME && !name.contains('\0');
    fits.then(|| name.replace('"', "%22").replace('\r', "%0D").replace('\n', "%0A"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(name: &str, file_name: Option<&str>, media_type: Option<&str>) -> FormPart {
        FormPart {
            name: name.to_owned(),
            file_name: file_name.map(str::to_owned),
            media_type: media_type.map(str::to_owned),
            value: FormValue::Text("value".to_owned()),
        }
    }

    #[test]
    fn a_name_cannot_write_a_header() {
        let part = part("file", Some("a\"\r\nX: y\r\n\r\n.png"), Some("image/png"));

        let head = head("B", &part);

        let expected = "--B\r\nContent-Disposition: form-data; name=\"file\"; \
            filename=\"a%22%0D%0AX: y%0D%0A%0D%0A.png\"\r\nContent-Type: image/png\r\n\r\n";
        assert_eq!(head.as_deref(), Some(expected));
    }

    #[test]
    fn what_no_part_can_be_called_is_refused_by_its_number() {
        let blobs = Blobs::default();
        let long = "a".repeat(LONGEST_NAME + 1);
        for wrong in [
            part(&long, None, None),
            part("a\0", None, None),
            part("a", Some(&long), None),
            part("a", None, Some("text/plain\r\nX: y")),
            part("a", None, Some("")),
        ] {
            let refused = Form::write(vec![part("fine", None, None), wrong], &blobs).err();
            assert_eq!(refused, Some(RequestError::FormPart { number: 1 }));
        }
        let many = vec![part("a", None, None); MOST_PARTS + 1];
        assert!(Form::write(many, &blobs).is_err());
    }

    #[test]
    fn two_forms_have_borders_of_their_own() {
        let border = || Form::write(Vec::new(), &Blobs::default()).map(|form| form.content_type);
        assert_ne!(border().unwrap(), border().unwrap());
    }
}
