//! What there is to convert: files, folders and standard input, each read piece by piece, so that a
//! file may be larger than memory.

use std::fs::File;
use std::io::{self, BufRead, BufReader, Read};
use std::path::{Path, PathBuf};

use agents::load::source::Compression;
use agents::stream::{Messages, Streamed};
use anyhow::Context;
use convert::Processor;
use indicatif::ProgressBar;

/// The name of standard input.
const STANDARD_INPUT: &str = "-";

/// One input, or why it cannot be read.
pub(super) struct Input {
    /// Its number in the file; 0 if the file has one only.
    pub(super) number: u64,
    pub(super) bytes: Result<Vec<u8>, String>,
}

/// How a file holds inputs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    /// Messages, one after the other.
    Messages,
    /// One on each line.
    Lines,
    Whole,
}

/// A file, and what was given that it was found by.
pub(super) struct Found {
    pub(super) given: PathBuf,
    pub(super) file: PathBuf,
    pub(super) bytes: u64,
}

/// All files of what was given, in order.
pub(super) fn find<'g>(given: impl Iterator<Item = &'g PathBuf>) -> anyhow::Result<Vec<Found>> {
    let mut found = Vec::new();
    for given in given {
        if given.as_os_str() == STANDARD_INPUT {
            found.push(Found {
                given: given.clone(),
                file: PathBuf::from("stdin"),
                bytes: 0,
            });
            continue;
        }
        for file in super::files(given)? {
            let shown = || file.display().to_string();
            let bytes = std::fs::metadata(&file).with_context(shown)?.len();
            found.push(Found {
                given: given.clone(),
                file,
                bytes,
            });
        }
    }
    Ok(found)
}

impl Found {
    /// A file of that name is `./-`.
    pub(super) fn is_standard_input(&self) -> bool {
        self.given.as_os_str() == STANDARD_INPUT
    }

    /// A stream of it, that the bar sees; what is compressed comes out of it as it was.
    pub(super) fn open(&self, bar: &ProgressBar) -> io::Result<Box<dyn BufRead>> {
        if self.is_standard_input() {
            return Ok(Box::new(BufReader::new(bar.wrap_read(io::stdin()))));
        }
        let file = BufReader::new(bar.wrap_read(File::open(&self.file)?));
        Compression::of(&self.name()).0.reader(file)
    }

    fn name(&self) -> String {
        let name = self.file.file_name().unwrap_or_default();
        name.to_string_lossy().into_owned()
    }

    fn form(&self, processor: Processor, start: &[u8]) -> Form {
        let name = self.name();
        let (_, name) = Compression::of(&name);
        let ending = Path::new(name).extension().unwrap_or_default();
        let is_named_lines = ending == "ndjson" || ending == "jsonl";
        match processor {
            _ if is_named_lines => Form::Lines,
            Processor::Hl7v2 => Form::Messages,
            Processor::Json | Processor::Fhir | Processor::FhirToHl7v2 if has_lines(start) => {
                Form::Lines
            }
            _ => Form::Whole,
        }
    }

    /// The inputs of a stream of it; none may be longer than so many bytes.
    pub(super) fn inputs(
        &self,
        mut stream: Box<dyn BufRead>,
        processor: Processor,
        bytes_max: usize,
    ) -> io::Result<Box<dyn Iterator<Item = io::Result<Input>>>> {
        let form = self.form(processor, stream.fill_buf()?);
        Ok(match form {
            Form::Messages => Box::new(numbered(Messages::new(stream, bytes_max).map(move |it| {
                it.map(|it| match it {
                    Streamed::Message(bytes) => Ok(bytes),
                    Streamed::TooLong => Err(too_long(bytes_max)),
                })
            }))),
            Form::Lines => Box::new(lines(stream, bytes_max)),
            Form::Whole => Box::new(std::iter::once(whole(stream, bytes_max))),
        })
    }
}

/// Whether JSON comes line by line: the first line is an object by itself, and another follows.
fn has_lines(start: &[u8]) -> bool {
    let mut lines = start.split(|it| *it == b'\n').map(<[u8]>::trim_ascii);
    let is_whole = |it: &[u8]| it.starts_with(b"{") && it.ends_with(b"}");
    lines.next().is_some_and(is_whole) && lines.any(|it| it.starts_with(b"{"))
}

/// Numbers what is more than one.
fn numbered(
    mut bytes: impl Iterator<Item = io::Result<Result<Vec<u8>, String>>> + 'static,
) -> impl Iterator<Item = io::Result<Input>> {
    let first = bytes.next();
    let second = bytes.next();
    let from = u64::from(second.is_some());
    let all = first.into_iter().chain(second).chain(bytes);
    (from..).zip(all).map(|(number, bytes)| {
        Ok(Input {
            number,
            bytes: bytes?,
        })
    })
}

/// The lines that say something, by their numbers.
fn lines(
    mut stream: Box<dyn BufRead>,
    bytes_max: usize,
) -> impl Iterator<Item = io::Result<Input>> {
    let mut number = 0;
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    std::iter::from_fn(move || {
        loop {
            number += 1;
            let mut bytes = Vec::new();
            let read = (&mut stream).take(limit + 1).read_until(b'\n', &mut bytes);
            match read {
                Ok(0) => return None,
                Ok(_) if bytes.len() > bytes_max && !bytes.ends_with(b"\n") => {
                    if let Err(error) = stream.skip_until(b'\n') {
                        return Some(Err(error));
                    }
                    let bytes = Err(too_long(bytes_max));
                    return Some(Ok(Input { number, bytes }));
                }
                Ok(_) if bytes.trim_ascii().is_empty() => {}
                Ok(_) => {
                    let bytes = Ok(bytes);
                    return Some(Ok(Input { number, bytes }));
                }
                Err(error) => return Some(Err(error)),
            }
        }
    })
}

fn whole(stream: Box<dyn BufRead>, bytes_max: usize) -> io::Result<Input> {
    let limit = u64::try_from(bytes_max).unwrap_or(u64::MAX);
    let mut bytes = Vec::new();
    stream.take(limit + 1).read_to_end(&mut bytes)?;
    let bytes = if bytes.len() > bytes_max {
        Err(too_long(bytes_max))
    } else {
        Ok(bytes)
    };
    Ok(Input { number: 0, bytes })
}

fn too_long(bytes_max: usize) -> String {
    format!("limit `input_bytes_max` of {bytes_max} exceeded")
}
