//! Libraries as OCI images: a layout of blobs, whose layers are archives, a later one over the
//! earlier (OCI image specification 1.1: image layout, manifest, layer). The digest of everything is
//! checked.

use bytes::Bytes;
use fhir::json::{Document, Limits, Value};
use sha2::{Digest, Sha256};

use super::{Gathered, SourceError, SourceLimits, Sources, archive};

/// How many lists of images may lead to each other.
const INDEX_DEPTH_MAX: usize = 4;

/// Greatest size of an index or a manifest.
const JSON_BYTES_MAX: u64 = 4 << 20;

/// Gives a file of the layout by its path, if it is no larger than the second argument.
pub type Fetch<'f> = dyn FnMut(&str, u64) -> Result<Vec<u8>, SourceError> + 'f;

/// Reads the image with that tag, or the only one, out of a layout.
pub fn read(
    tag: Option<&str>,
    limits: &SourceLimits,
    fetch: &mut Fetch<'_>,
) -> Result<Sources, SourceError> {
    let marker = json("oci-layout", fetch("oci-layout", JSON_BYTES_MAX)?)?;
    let version = text(marker.root(), "imageLayoutVersion");
    if !version.starts_with("1.") {
        let what = "`imageLayoutVersion` is not 1";
        return Err(SourceError::file("oci-layout", what));
    }
    let index = json("index.json", fetch("index.json", JSON_BYTES_MAX)?)?;
    let (place, manifest) = manifest(&index, "index.json", tag, fetch, 0)?;
    let layers: Vec<Value<'_>> = manifest
        .root()
        .get("layers")
        .into_iter()
        .flat_map(Value::items)
        .collect();
    if layers.is_empty() {
        return Err(SourceError::file(&place, "the image has no layers"));
    }
    if layers.len() > limits.layers_max {
        let max = limits.layers_max as u64;
        return Err(SourceError::limit("layers_max", max, &place));
    }
    let mut gathered = Gathered::new(limits);
    for (number, layer) in (1..).zip(layers) {
        let mut read = |bytes: &[u8]| {
            archive::layer(bytes, limits, &mut gathered)?;
            gathered.end_layer()
        };
        blob(layer, &place, limits.packed_bytes_max, fetch)
            .and_then(|bytes| read(&bytes))
            .map_err(|error| error.in_layer(number))?;
    }
    Ok(gathered.finish())
}

/// The manifest that an index leads to, and where it is.
fn manifest(
    index: &Document,
    index_place: &str,
    tag: Option<&str>,
    fetch: &mut Fetch<'_>,
    depth: usize,
) -> Result<(String, Document), SourceError> {
    if depth > INDEX_DEPTH_MAX {
        let max = INDEX_DEPTH_MAX as u64;
        return Err(SourceError::limit("index_depth_max", max, index_place));
    }
    let list = index.root().get("manifests");
    let all: Vec<Value<'_>> = list.into_iter().flat_map(Value::items).collect();
    let is_tagged = |it: &Value<'_>| {
        let annotations = it.get("annotations");
        let name = annotations.map(|it| text(it, "org.opencontainers.image.ref.name"));
        tag.is_none_or(|tag| name.as_deref() == Some(tag))
    };
    // Below the first index the tag was found already.
    let found: Vec<_> = all.iter().filter(|it| depth > 0 || is_tagged(it)).collect();
    let [found] = found[..] else {
        let what = match (found.len(), tag) {
            (0, Some(_)) => "the layout has no image of that tag".to_owned(),
            (0, None) => "the layout has no image".to_owned(),
            (count, _) => format!("the layout has {count} images; name one by its tag"),
        };
        return Err(SourceError::file(index_place, what));
    };
    let place = path_of(&text(*found, "digest"), index_place)?;
    let bytes = blob(*found, index_place, JSON_BYTES_MAX, fetch)?;
    let document = json(&place, bytes)?;
    if document.root().get("manifests").is_some() {
        return manifest(&document, &place, None, fetch, depth + 1);
    }
    Ok((place, document))
}

/// The bytes that a descriptor in that file names, of the size and digest that it says.
fn blob(
    descriptor: Value<'_>,
    named_in: &str,
    bytes_max: u64,
    fetch: &mut Fetch<'_>,
) -> Result<Vec<u8>, SourceError> {
    let digest = text(descriptor, "digest");
    let place = path_of(&digest, named_in)?;
    let size = descriptor.get("size").and_then(|it| it.raw().parse().ok());
    let size: u64 = size.ok_or_else(|| SourceError::file(&place, "its descriptor has no size"))?;
    if size > bytes_max {
        return Err(SourceError::limit("packed_bytes_max", bytes_max, &place));
    }
    let bytes = fetch(&place, size)?;
    if bytes.len() as u64 != size {
        let what = format!("it has {} bytes, not {size}", bytes.len());
        return Err(SourceError::file(&place, what));
    }
    if format!("sha256:{:x}", Sha256::digest(&bytes)) != digest {
        let what = "its content is not what its digest says";
        return Err(SourceError::file(&place, what));
    }
    Ok(bytes)
}

/// Where the blob of a digest lies. Anything but SHA-256 in lower case is refused, so a digest
/// cannot lead anywhere else.
fn path_of(digest: &str, named_in: &str) -> Result<String, SourceError> {
    let is_digit = |it: u8| matches!(it, b'0'..=b'9' | b'a'..=b'f');
    match digest.strip_prefix("sha256:") {
        Some(digits) if digits.len() == 64 && digits.bytes().all(is_digit) => {
            Ok(format!("blobs/sha256/{digits}"))
        }
        _ if digest.is_empty() => {
            let what = "a descriptor has no digest of the form `sha256:…`";
            Err(SourceError::file(named_in, what))
        }
        _ => {
            let digest = super::shown(digest);
            let what = format!("`{digest}` is no digest of the form `sha256:…`");
            Err(SourceError::file(named_in, what))
        }
    }
}

fn text(object: Value<'_>, name: &str) -> String {
    let found = object.get(name).and_then(Value::as_str);
    found.unwrap_or_default().into_owned()
}

fn json(file: &str, bytes: Vec<u8>) -> Result<Document, SourceError> {
    Document::parse(Bytes::from(bytes), &Limits::DEFAULT)
        .map_err(|error| SourceError::file(file, error.to_string()))
}
