//! A file of lines of JSON that grows while a command runs.

use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use anyhow::Context;
use serde_json::Value;

/// The lines; the file is made with the first.
pub(super) struct Listing {
    path: PathBuf,
    file: Option<BufWriter<File>>,
    count: u64,
}

impl Listing {
    pub(super) fn new(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            file: None,
            count: 0,
        }
    }

    pub(super) fn count(&self) -> u64 {
        self.count
    }

    pub(super) fn add(&mut self, line: &Value) -> anyhow::Result<()> {
        let shown = || self.path.display().to_string();
        if self.file.is_none() {
            let file = File::create(&self.path).with_context(shown)?;
            self.file = Some(BufWriter::new(file));
        }
        if let Some(file) = &mut self.file {
            writeln!(file, "{line}").with_context(shown)?;
        }
        self.count += 1;
        Ok(())
    }

    /// Where the lines are, if there are some, or an empty file is wanted.
    pub(super) fn finish(mut self, even_empty: bool) -> anyhow::Result<Option<PathBuf>> {
        let shown = || self.path.display().to_string();
        if even_empty && self.file.is_none() {
            File::create(&self.path).with_context(shown)?;
        }
        match &mut self.file {
            Some(file) => file.flush().with_context(shown)?,
            None => return Ok(None),
        }
        Ok(Some(self.path))
    }
}
