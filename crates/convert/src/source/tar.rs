//! Tar archives (POSIX.1-2017, `pax`, ustar interchange format), with GNU's long names. Only files
//! and folders are accepted: a link or a device in a library can only mean harm.

use std::io::Read;

use super::{Gathered, SourceError};

const BLOCK: usize = 512;

/// Greatest size of a header that only says how the next file is named (`extended_bytes_max`).
const EXTENDED_BYTES_MAX: u64 = 64 << 10;

/// Where the members of a header are, in bytes.
mod at {
    use std::ops::Range;

    pub(super) const NAME: Range<usize> = 0..100;
    pub(super) const SIZE: Range<usize> = 124..136;
    pub(super) const CHECKSUM: Range<usize> = 148..156;
    pub(super) const KIND: usize = 156;
    pub(super) const MAGIC: Range<usize> = 257..263;
    pub(super) const PREFIX: Range<usize> = 345..500;
}

/// What an extended header says of the entry after it.
#[derive(Default)]
struct Extended {
    path: Option<String>,
    size: Option<u64>,
}

/// Where the reading is.
struct Place {
    /// Where the entry at hand begins.
    byte: u64,
    /// The file or folder before it.
    after: String,
}

impl Place {
    /// A fault of the archive's form with its place.
    fn of(&self, error: SourceError) -> SourceError {
        let what = match error {
            SourceError::Format(what) => what,
            SourceError::File { file, what } if file.is_empty() => what,
            other => return other,
        };
        let after = match self.after.as_str() {
            "" => String::new(),
            path => format!(", after `{}`", super::shown(path)),
        };
        SourceError::Format(format!("{what} in the entry at byte {}{after}", self.byte))
    }
}

/// Counts what is read.
struct Counted<'r> {
    inner: &'r mut dyn Read,
    bytes: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        let count = self.inner.read(into)?;
        self.bytes += count as u64;
        Ok(count)
    }
}

/// Whether the bytes begin with a header.
pub(super) fn begins(bytes: &[u8]) -> bool {
    bytes.first_chunk().is_some_and(|it| check_sum(it).is_ok())
}

/// Reads an archive's files into the layer at hand.
pub(super) fn read(from: &mut dyn Read, into: &mut Gathered<'_>) -> Result<(), SourceError> {
    let mut place = Place {
        byte: 0,
        after: String::new(),
    };
    let mut from = Counted {
        inner: from,
        bytes: 0,
    };
    entries(&mut from, into, &mut place).map_err(|error| place.of(error))
}

fn entries(
    from: &mut Counted<'_>,
    into: &mut Gathered<'_>,
    place: &mut Place,
) -> Result<(), SourceError> {
    let mut extended = Extended::default();
    let mut block = [0; BLOCK];
    loop {
        place.byte = from.bytes;
        fill(from, &mut block)?;
        if block.iter().all(|it| *it == 0) {
            if extended.path.is_some() || extended.size.is_some() {
                let what = "an extended header has no entry after it";
                return Err(SourceError::format(what));
            }
            return drain(from);
        }
        check_sum(&block)?;
        let size = extended.size.take().map_or_else(|| size(&block), Ok)?;
        match block[at::KIND] {
            b'0' | 0 => {
                let path = extended.path.take().map_or_else(|| path(&block), Ok)?;
                file(from, into, &path, size)?;
                place.after = path;
            }
            b'5' => {
                let path = extended.path.take().map_or_else(|| path(&block), Ok)?;
                folder(into, &path, size)?;
                place.after = path;
            }
            b'x' => pax(&extended_header(from, into, size)?, &mut extended)?,
            b'L' => {
                let name = extended_header(from, into, size)?;
                extended.path = Some(name_of(&name)?);
            }
            // What holds for all entries (a commit's hash, mostly) names none of them.
            b'g' => {
                let mut global = Extended::default();
                pax(&extended_header(from, into, size)?, &mut global)?;
                if global.path.is_some() || global.size.is_some() {
                    let what = "a global header of the archive names a path or a size";
                    return Err(SourceError::format(what));
                }
            }
            kind => {
                let path = extended.path.take().map_or_else(|| path(&block), Ok)?;
                return Err(SourceError::file(&path, refused(kind)));
            }
        }
    }
}

fn refused(kind: u8) -> String {
    let what = match kind {
        b'1' => "a hard link",
        b'2' | b'K' => "a symbolic link",
        b'3' | b'4' => "a device",
        b'6' => "a named pipe",
        b'S' => "a sparse file",
        b'M' | b'V' => "a part of several archives",
        _ => "something that is neither file nor folder",
    };
    format!("the archive holds {what}; only files and folders are accepted")
}

fn file(
    from: &mut dyn Read,
    into: &mut Gathered<'_>,
    path: &str,
    size: u64,
) -> Result<(), SourceError> {
    if path.ends_with('/') {
        return folder(into, path, size);
    }
    into.admit(path, size)?;
    let content = content(from, size)?;
    into.add(path, &content)
}

fn folder(into: &mut Gathered<'_>, path: &str, size: u64) -> Result<(), SourceError> {
    into.entry(path)?;
    let clean = path.strip_suffix('/').unwrap_or(path);
    if !matches!(clean, "." | "") {
        super::clean_path(clean, into.limits)?;
    }
    if path == "/" {
        return Err(SourceError::file(path, "the path is absolute"));
    }
    if size > 0 {
        return Err(SourceError::file(path, "a folder has no content"));
    }
    Ok(())
}

fn extended_header(
    from: &mut dyn Read,
    into: &mut Gathered<'_>,
    size: u64,
) -> Result<Vec<u8>, SourceError> {
    if size > EXTENDED_BYTES_MAX {
        return Err(SourceError::limit(
            "extended_bytes_max",
            EXTENDED_BYTES_MAX,
            "",
        ));
    }
    into.entry("")?;
    content(from, size)
}

/// The content of an entry and what fills its last block. The size was checked.
fn content(from: &mut dyn Read, size: u64) -> Result<Vec<u8>, SourceError> {
    let mut content = Vec::new();
    let read = from.take(size).read_to_end(&mut content);
    read.map_err(|error| unreadable(&error))?;
    if content.len() as u64 != size {
        return Err(cut_short());
    }
    let rest = content.len() % BLOCK;
    if rest > 0 {
        fill(from, &mut [0; BLOCK][rest..])?;
    }
    Ok(content)
}

fn fill(from: &mut dyn Read, block: &mut [u8]) -> Result<(), SourceError> {
    from.read_exact(block).map_err(|error| match error.kind() {
        std::io::ErrorKind::UnexpectedEof => cut_short(),
        _ => unreadable(&error),
    })
}

fn cut_short() -> SourceError {
    SourceError::format("the archive is cut short")
}

/// A limit of whoever unpacks comes through the reader as it is.
fn unreadable(error: &std::io::Error) -> SourceError {
    let inner = error.get_ref().and_then(|it| it.downcast_ref());
    let limit: Option<&SourceError> = inner;
    limit
        .cloned()
        .unwrap_or_else(|| SourceError::format(format!("the archive cannot be unpacked: {error}")))
}

/// After the end only zeros may come; reading them checks what the compression says of the whole.
fn drain(from: &mut dyn Read) -> Result<(), SourceError> {
    let mut block = [0; BLOCK];
    loop {
        match from.read(&mut block) {
            Ok(0) => return Ok(()),
            Ok(count) if block[..count].iter().all(|it| *it == 0) => {}
            Ok(_) => return Err(SourceError::format("something follows the archive's end")),
            Err(error) => return Err(unreadable(&error)),
        }
    }
}

/// The sum of a header's bytes, its own field counted as blanks.
fn check_sum(block: &[u8; BLOCK]) -> Result<(), SourceError> {
    let told = octal(&block[at::CHECKSUM]);
    let bytes = block.iter().enumerate();
    let sum: u64 = bytes
        .map(|(at, byte)| {
            let is_own = at::CHECKSUM.contains(&at);
            u64::from(if is_own { b' ' } else { *byte })
        })
        .sum();
    if told == Some(sum) {
        Ok(())
    } else {
        let what = "not a tar archive: a header does not add up";
        Err(SourceError::format(what))
    }
}

/// Digits between blanks and zero bytes.
fn octal(field: &[u8]) -> Option<u64> {
    let text = std::str::from_utf8(field).ok()?;
    let digits = text.trim_matches([' ', '\0']);
    if digits.is_empty() {
        return Some(0);
    }
    if digits.bytes().all(|it| it.is_ascii_digit()) {
        u64::from_str_radix(digits, 8).ok()
    } else {
        None
    }
}

fn size(block: &[u8; BLOCK]) -> Result<u64, SourceError> {
    octal(&block[at::SIZE]).ok_or_else(|| SourceError::format("a header names no size"))
}

fn path(block: &[u8; BLOCK]) -> Result<String, SourceError> {
    let name = name_of(&block[at::NAME])?;
    let has_prefix = &block[at::MAGIC] == b"ustar\0";
    let prefix = if has_prefix {
        name_of(&block[at::PREFIX])?
    } else {
        String::new()
    };
    Ok(super::joined(&prefix, &name))
}

/// The text before the first zero byte.
fn name_of(field: &[u8]) -> Result<String, SourceError> {
    let end = memchr::memchr(0, field).unwrap_or(field.len());
    let name = std::str::from_utf8(&field[..end]);
    let name = name.map_err(|_| SourceError::format("a file's name is not UTF-8"))?;
    Ok(name.to_owned())
}

/// Records of `length key=value` and a line break; the length is that of the whole record.
fn pax(mut records: &[u8], extended: &mut Extended) -> Result<(), SourceError> {
    let fault = || SourceError::format("an extended header is not well formed");
    while !records.is_empty() {
        let blank = memchr::memchr(b' ', records).ok_or_else(fault)?;
        let length = std::str::from_utf8(&records[..blank]).ok();
        let length: usize = length.and_then(|it| it.parse().ok()).ok_or_else(fault)?;
        if length <= blank + 1 || length > records.len() || records[length - 1] != b'\n' {
            return Err(fault());
        }
        let record = std::str::from_utf8(&records[blank + 1..length - 1]).map_err(|_| fault())?;
        let (key, value) = record.split_once('=').ok_or_else(fault)?;
        match key {
            "path" => extended.path = Some(value.to_owned()),
            "size" => extended.size = Some(value.parse().map_err(|_| fault())?),
            _ if key.starts_with("GNU.sparse") => {
                return Err(SourceError::format("the archive holds a sparse file"));
            }
            _ => {}
        }
        records = &records[length..];
    }
    Ok(())
}

/// Writes files as an archive: the same files give the same bytes.
pub(super) fn write<'f>(files: impl Iterator<Item = (&'f str, &'f [u8])>) -> Vec<u8> {
    let mut archive = Vec::new();
    for (path, content) in files {
        if path.len() > at::NAME.len() {
            let record = pax_record("path", path);
            entry(b'x', "pax", record.as_bytes(), &mut archive);
        }
        entry(b'0', path, content, &mut archive);
    }
    archive.resize(archive.len() + 2 * BLOCK, 0);
    archive
}

fn pax_record(key: &str, value: &str) -> String {
    let rest = format!(" {key}={value}\n");
    let mut length = rest.len();
    while length != rest.len() + length.to_string().len() {
        length = rest.len() + length.to_string().len();
    }
    format!("{length}{rest}")
}

fn entry(kind: u8, path: &str, content: &[u8], archive: &mut Vec<u8>) {
    let mut block = [0; BLOCK];
    let mut put = |at: usize, text: &[u8]| block[at..at + text.len()].copy_from_slice(text);
    put(
        at::NAME.start,
        &path.as_bytes()[..path.len().min(at::NAME.len())],
    );
    put(100, b"0000644\0");
    put(108, b"0000000\0");
    put(116, b"0000000\0");
    put(
        at::SIZE.start,
        format!("{:011o}\0", content.len()).as_bytes(),
    );
    put(136, b"00000000000\0");
    put(at::CHECKSUM.start, b"        ");
    put(at::KIND, &[kind]);
    put(at::MAGIC.start, b"ustar\x0000");
    let sum: u32 = block.iter().map(|it| u32::from(*it)).sum();
    block[at::CHECKSUM].copy_from_slice(format!("{sum:06o}\0 ").as_bytes());
    archive.extend_from_slice(&block);
    archive.extend_from_slice(content);
    archive.resize(archive.len().next_multiple_of(BLOCK), 0);
}
