//! Pictures, sound and files of a message: bytes in the body, or a link. Links are passed on; nothing is fetched.

use base64::Engine as _;
use base64::alphabet::STANDARD;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};
use sluice_chat::request::BlobRef;

use super::bad_request::{BadRequest, Fault};
use super::intake::Intake;

/// Longest media type, in bytes.
const MAX_MEDIA_TYPE: usize = 100;

/// Padding or none: clients differ.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &STANDARD,
    GeneralPurposeConfig::new().with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// What a picture's `url` says: a link for the upstream, or the bytes themselves.
pub(super) fn image(url: &str, path: String, intake: &mut Intake) -> Result<BlobRef, BadRequest> {
    if begins_with(url, "https://") {
        return Ok(BlobRef {
            id: String::new(),
            // Nobody looked; the upstream will.
            media_type: "image/*".to_owned(),
            size: 0,
            url: Some(url.to_owned()),
            name: None,
        });
    }
    let blob = data_url(url, intake).filter(|blob| blob.media_type.starts_with("image/"));
    blob.ok_or_else(|| {
        let expected = "an https link, or data:image/…;base64,… with valid base64";
        BadRequest::at(path, Fault::Expected(expected))
    })
}

/// A file in a `data:` URL.
pub(super) fn document(
    url: &str,
    name: Option<String>,
    path: String,
    intake: &mut Intake,
) -> Result<BlobRef, BadRequest> {
    let blob = data_url(url, intake).ok_or_else(|| {
        BadRequest::at(path, Fault::Expected("data:…;base64,… with valid base64"))
    })?;
    Ok(BlobRef { name, ..blob })
}

/// Sound in plain base64.
pub(super) fn audio(
    data: &str,
    format: &str,
    path: String,
    intake: &mut Intake,
) -> Result<BlobRef, BadRequest> {
    let media_type = match format {
        "mp3" => "audio/mpeg".to_owned(),
        other => format!("audio/{other}"),
    };
    let blob = is_media_type(&media_type).then(|| blob(&media_type, data, intake)).flatten();
    blob.ok_or_else(|| BadRequest::at(path, Fault::Expected("base64 in a format such as wav")))
}

/// Takes `data:TYPE;…;base64,BYTES` apart. Parameters of the type are dropped.
fn data_url(url: &str, intake: &mut Intake) -> Option<BlobRef> {
    let (head, data) = url.split_once(',')?;
    let (scheme, head) = head.split_once(':')?;
    let (media_type, rest) = head.split_once(';')?;
    let encoding = rest.rsplit(';').next()?;
    let known = scheme.eq_ignore_ascii_case("data") && encoding.eq_ignore_ascii_case("base64");
    let media_type = media_type.to_ascii_lowercase();
    (known && is_media_type(&media_type)).then(|| blob(&media_type, data, intake)).flatten()
}

fn blob(media_type: &str, data: &str, intake: &mut Intake) -> Option<BlobRef> {
    let bytes = BASE64.decode(data).ok().filter(|bytes| !bytes.is_empty())?;
    let size = bytes.len() as u64;
    let id = intake.keep(bytes, data.len());
    Some(BlobRef { id, media_type: media_type.to_owned(), size, url: None, name: None })
}

/// `type/subtype` of plain characters: it ends up in other people's headers and URLs.
fn is_media_type(text: &str) -> bool {
    let plain = |part: &str| {
        !part.is_empty() && part.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-._".contains(&b))
    };
    text.len() <= MAX_MEDIA_TYPE
        && text.split_once('/').is_some_and(|(kind, subtype)| plain(kind) && plain(subtype))
}

fn begins_with(url: &str, scheme: &str) -> bool {
    url.get(..scheme.len()).is_some_and(|head| head.eq_ignore_ascii_case(scheme))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn picture(url: &str) -> Option<(BlobRef, Intake)> {
        let mut intake = Intake::default();
        image(url, String::new(), &mut intake).ok().map(|blob| (blob, intake))
    }

    #[test]
    fn the_bytes_of_a_data_url_are_kept_and_described() {
        let (blob, intake) = picture("data:image/PNG;name=a;base64,iVBORw").expect("a picture");

        assert_eq!((blob.media_type.as_str(), blob.size, blob.url), ("image/png", 4, None));
        assert_eq!(intake.blobs[0].bytes, b"\x89PNG");
        assert_eq!(intake.blobs[0].id, blob.id);
        assert_eq!(intake.encoded_bytes, 6);
    }

    #[test]
    fn a_link_is_passed_on_and_nothing_is_kept() {
        let (blob, intake) = picture("HTTPS://pictures.example/a.png").expect("a picture");

        assert_eq!(blob.url.as_deref(), Some("HTTPS://pictures.example/a.png"));
        assert!(intake.blobs.is_empty());
    }

    #[test]
    fn anything_else_is_refused() {
        for url in [
            "",
            "http://pictures.example/a.png",
            "file:///etc/passwd",
            "data:image/png,plain",
            "data:image/png;base64,",
            "data:image/png;base64,a b",
            "data:image/png;base64,*",
            "data:text/html;base64,aGk=",
            "data:image/\"x\";base64,aGk=",
            "data:;base64,aGk=",
            "ahttps://x",
        ] {
            assert!(picture(url).is_none(), "{url}");
        }
    }
}
