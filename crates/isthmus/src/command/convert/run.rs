//! One run: inputs through a library, to standard output or into files, with what is refused and
//! what is left away beside them.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant, SystemTime};

use agents::conversion::strategy;
use anyhow::Context;
use convert::{Budgets, ConvertError, Library, Output, Processor, Settings, Unread};
use indicatif::ProgressBar;
use interactions::Salt;
use serde_json::json;

use super::inputs::{Found, Input};
use super::listing::Listing;
use crate::command::print;

/// What all conversions of a run share.
pub(super) struct Run<'r> {
    pub(super) library: &'r Library,
    pub(super) processor: Processor,
    /// The root of all inputs; otherwise each HL7 v2 message says it.
    pub(super) root: Option<&'r String>,
    pub(super) zone_offset_minutes: Option<i32>,
    pub(super) salt: Option<Salt>,
    pub(super) timeout: Duration,
    pub(super) out: Option<&'r PathBuf>,
    pub(super) rejects: Listing,
    /// What was left away.
    pub(super) coverage: Option<Listing>,
    pub(super) unread: usize,
    pub(super) converted: u64,
    pub(super) written: HashSet<PathBuf>,
    pub(super) bar: ProgressBar,
}

impl Run<'_> {
    /// Converts all inputs of a file.
    pub(super) fn file(&mut self, found: &Found) -> anyhow::Result<()> {
        let stream = found.open(&self.bar)?;
        let bytes_max = Budgets::default().input_bytes_max;
        for input in found.inputs(stream, self.processor, bytes_max)? {
            let Input { number, bytes } = input?;
            let text = match bytes {
                Ok(bytes) => convert::text_of(self.processor, bytes)
                    .map_err(|it| json!({ "code": it.kind.code(), "what": it.what })),
                Err(what) => Err(json!({ "what": what })),
            };
            match text {
                Ok(text) => self.input(&found.given, &found.file, number, &text)?,
                Err(fault) => self.reject(&found.file, number, fault)?,
            }
            let (converted, refused) = (self.converted, self.rejects.count());
            self.bar
                .set_message(format!("{converted} converted, {refused} refused"));
        }
        Ok(())
    }

    /// Converts one input; those of a file are numbered from 1, a whole file is 0.
    fn input(&mut self, given: &Path, file: &Path, line: u64, text: &str) -> anyhow::Result<()> {
        match self.converted_input(text) {
            Ok(output) => {
                self.cover(file, line, &output)?;
                self.write(given, file, line, &output)
            }
            Err(error) => {
                let included = error.included_at.iter().map(ToString::to_string);
                let shown = json!({
                    "code": error.kind.code(), "what": error.what,
                    "at": error.place.as_ref().map(ToString::to_string),
                    "includedAt": included.collect::<Vec<_>>(),
                });
                self.reject(file, line, shown)
            }
        }
    }

    /// Counts what no template read, and lists it with what is left away on purpose.
    fn cover(&mut self, file: &Path, line: u64, output: &Output) -> anyhow::Result<()> {
        self.unread += output.unread.iter().map(Unread::count).sum::<usize>();
        let Some(listed) = &mut self.coverage else {
            return Ok(());
        };
        for part in output.unread.iter().chain(&output.ignored) {
            let mut row = json!({
                "file": file.display().to_string(), "line": line, "part": part.to_string(),
                "ignored": self.library.reason_to_ignore(part),
            });
            match part {
                Unread::Component {
                    segment, repeat, ..
                } => {
                    row["segment"] = json!(segment.1);
                    row["repeat"] = json!(repeat);
                }
                Unread::Node { count, .. } => row["count"] = json!(count),
            }
            listed.add(&row)?;
        }
        Ok(())
    }

    fn converted_input(&self, text: &str) -> Result<Output, ConvertError> {
        let began = Instant::now();
        let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let micros = now.map_or(0, |it| i64::try_from(it.as_micros()).unwrap_or(i64::MAX));
        let settings = Settings {
            now: fhir::Instant::from_micros(micros),
            seed: micros.unsigned_abs(),
            zone_offset_minutes: self.zone_offset_minutes,
            ids: strategy(self.salt.as_ref()),
            budgets: Budgets::default(),
            time_is_up: &|| began.elapsed() > self.timeout,
        };
        let root = match self.root {
            Some(root) => root.clone(),
            None => self.library.root_named_by(self.processor, text)?,
        };
        self.library.convert(&root, self.processor, text, &settings)
    }

    fn write(
        &mut self,
        given: &Path,
        file: &Path,
        line: u64,
        output: &Output,
    ) -> anyhow::Result<()> {
        let Some(folder) = self.out else {
            self.converted += 1;
            self.bar.suspend(|| print(&output.text));
            return Ok(());
        };
        let target = target(folder, given, file, line, self.processor);
        if !self.written.insert(target.clone()) {
            let what = "another input of this run has the same name";
            return self.reject(file, line, json!({ "what": what }));
        }
        if let Some(parent) = target.parent() {
            std::fs::create_dir_all(parent).with_context(|| parent.display().to_string())?;
        }
        std::fs::write(&target, &output.text).with_context(|| target.display().to_string())?;
        self.converted += 1;
        Ok(())
    }

    fn reject(
        &mut self,
        file: &Path,
        line: u64,
        mut fault: serde_json::Value,
    ) -> anyhow::Result<()> {
        fault["file"] = file.display().to_string().into();
        fault["line"] = line.into();
        self.rejects.add(&fault)
    }

    /// Says what was done.
    pub(super) fn finish(self) -> anyhow::Result<u8> {
        self.bar.finish_and_clear();
        if let Some(listed) = self.coverage {
            listed.finish(true)?;
        }
        let (converted, refused) = (self.converted, self.rejects.count());
        crate::say(&format!("{converted} converted, {refused} refused"));
        if self.unread > 0 {
            let unread = self.unread;
            let what = format!("{unread} values were not read; --coverage lists them");
            crate::say(&what);
        }
        let Some(rejects) = self.rejects.finish(false)? else {
            return Ok(crate::DONE);
        };
        crate::say(&format!("refused: see {}", rejects.display()));
        Ok(crate::FOUND_FAULTS)
    }
}

/// Where the output of an input goes: its path below what was given, with an ending more.
fn target(folder: &Path, given: &Path, file: &Path, line: u64, processor: Processor) -> PathBuf {
    let below = file.strip_prefix(given).ok();
    let below = below.filter(|it| it.components().count() > 0);
    let name = below.unwrap_or_else(|| Path::new(file.file_name().unwrap_or_default()));
    let ending = match processor {
        Processor::FhirToHl7v2 => "hl7",
        _ => "json",
    };
    let mut target = folder.join(name).into_os_string();
    if line > 0 {
        target.push(format!(".{line}"));
    }
    target.push(format!(".{ending}"));
    target.into()
}
