//! Reading everything that is stored of a tenant: first the files, then whether what they hold
//! agrees with itself. Findings name files, key spaces, rows and positions, never content.

use std::path::Path;

use store::{Finding, Instant, StoreError, Versions};

use crate::blobs::Blobs;
use crate::directory;
use crate::engine::{self, FileFault, Snapshot, Space as Tree};
use crate::fault;
use crate::layout::{
    self, BODIES, CHANGES, Changed, ENTRIES, HISTORY, Head, IDS, INCOMING, Indexed, LEDGER, META,
    POSTINGS, ROWS, State, Version,
};
use crate::search::head_of;
use crate::tenant::{DATA, Tenant};

/// After so many findings the rest is not looked for.
const FINDINGS_MAX: usize = 1_000;

/// Checks an open tenant.
pub(crate) fn tenant(tenant: &Tenant) -> Result<Vec<Finding>, StoreError> {
    let files = tenant.engine.verify().map_err(fault::engine)?;
    let mut findings: Vec<Finding> = files.into_iter().map(finding_of).collect();
    if !findings.is_empty() {
        // What damaged files hold would only be reported a second time.
        return Ok(findings);
    }
    let snapshot = tenant.engine.snapshot();
    let mut checks = Checks {
        tenant,
        snapshot,
        findings: Vec::new(),
    };
    checks.run()?;
    findings.append(&mut checks.findings);
    Ok(findings)
}

/// Checks the files of a store that is not open.
pub(crate) fn directory(dir: &Path) -> Result<Vec<Finding>, StoreError> {
    let _lock = directory::lock(dir)?;
    let mut findings = Vec::new();
    for folder in directory::tenant_folders(dir)? {
        let data = folder.join(DATA);
        // A tenant that was never opened has no data yet.
        if data.exists() {
            let faults = engine::verify(&data).map_err(fault::engine)?;
            findings.extend(faults.into_iter().map(finding_of));
        }
        let blobs = Blobs::new(&folder);
        for (blob, _) in blobs.all()? {
            findings.extend(blob_finding(&blobs, &blob));
        }
    }
    Ok(findings)
}

fn finding_of(fault: FileFault) -> Finding {
    Finding {
        place: fault.file.display().to_string(),
        what: fault.what,
    }
}

fn blob_finding(blobs: &Blobs, blob: &store::BlobId) -> Option<Finding> {
    let (place, what) = blobs.fault(blob)?;
    Some(Finding {
        place,
        what: what.to_owned(),
    })
}

struct Checks<'t> {
    tenant: &'t Tenant,
    snapshot: Snapshot,
    findings: Vec<Finding>,
}

impl Checks<'_> {
    fn run(&mut self) -> Result<(), StoreError> {
        let state = self
            .snapshot
            .get(META, layout::STATE)
            .map_err(fault::engine)?;
        let state = state.map_or(Ok(State::default()), |bytes| State::decode(&bytes))?;
        self.ledger(&state)?;
        self.heads()?;
        self.versions(BODIES)?;
        self.versions(HISTORY)?;
        self.changes()?;
        self.index()?;
        self.counts()?;
        self.blobs()
    }

    fn find(&mut self, tree: Tree, what: impl Into<String>) {
        if self.findings.len() < FINDINGS_MAX {
            let place = layout::KEY_SPACES[usize::from(tree.0)].name.to_owned();
            self.findings.push(Finding {
                place,
                what: what.into(),
            });
        }
    }

    fn has(&self, tree: Tree, key: &[u8]) -> Result<bool, StoreError> {
        Ok(self
            .snapshot
            .get(tree, key)
            .map_err(fault::engine)?
            .is_some())
    }

    /// Visits all entries of a tree; what cannot be decoded is a finding.
    fn each(
        &mut self,
        tree: Tree,
        prefix: &[u8],
        mut visit: impl FnMut(&mut Self, &[u8], &bytes::Bytes) -> Result<(), StoreError>,
    ) -> Result<u64, StoreError> {
        let mut count = 0;
        for entry in self.snapshot.clone().prefix(tree, prefix) {
            let (key, value) = entry.map_err(fault::engine)?;
            count += 1;
            match visit(self, &key, &value) {
                Err(StoreError::Corrupt(what)) => self.find(tree, what),
                other => other?,
            }
        }
        Ok(count)
    }

    fn ledger(&mut self, state: &State) -> Result<(), StoreError> {
        let mut expected = 1;
        let mut last = (0, Instant(i64::MIN));
        self.each(LEDGER, b"", |checks, key, value| {
            let position = layout::position_of_key(key)?;
            if position.0 != expected {
                checks.find(LEDGER, format!("position {expected} is missing"));
            }
            expected = position.0 + 1;
            let entry = layout::decode_ledger(position, value)?;
            let now = (entry.transaction, entry.time);
            let next = now.0 == last.0 + 1 && now.1 > last.1;
            if now != last && !next {
                checks.find(
                    LEDGER,
                    format!("transaction or time is wrong at {}", position.0),
                );
            }
            last = now;
            for lane in entry.lanes {
                let place = layout::change_key(&layout::lane_changes(lane), position);
                if !checks.has(CHANGES, &place)? {
                    checks.find(CHANGES, format!("lane {} lacks {}", lane.0, position.0));
                }
            }
            Ok(())
        })?;
        if expected != state.position.0 + 1 {
            self.find(
                LEDGER,
                format!(
                    "it ends at {} instead of {}",
                    expected - 1,
                    state.position.0
                ),
            );
        }
        Ok(())
    }

    fn heads(&mut self) -> Result<(), StoreError> {
        let mut displaced = 0;
        let heads = self.each(IDS, b"", |checks, key, value| {
            let head = Head::decode(value)?;
            let record = layout::id_of_key(key)?;
            let row = Some(head.row.0).filter(|_| head.exists());
            let referent = Some(head.referent.0).filter(|_| row != Some(head.referent.0));
            for number in row.into_iter().chain(referent) {
                checks.named(number, key)?;
            }
            if let (Some(row), Some(referent)) = (row, referent) {
                displaced += 1;
                checks.displaced(row, referent)?;
                checks.displaced(referent, row)?;
            }
            let place = layout::body_key(record.space, record.kind, head.row);
            let newest = checks.snapshot.get(BODIES, &place).map_err(fault::engine)?;
            let newest = newest.map(|bytes| Version::decode(&bytes)).transpose()?;
            let agrees = match &newest {
                None => !head.exists(),
                Some(newest) => {
                    newest.number == head.version
                        && newest.position == head.position
                        && newest.operation == head.operation
                }
            };
            if !agrees {
                checks.find(
                    BODIES,
                    format!("row {} has not its newest version", head.row.0),
                );
            }
            if head.live() != checks.has(ENTRIES, &layout::row_key(head.row))? {
                checks.find(ENTRIES, format!("row {} is indexed wrongly", head.row.0));
            }
            Ok(())
        })?;
        let rows = self.each(ROWS, b"", |_, _, _| Ok(()))?;
        if rows != heads + displaced {
            self.find(ROWS, format!("{rows} rows for {heads} records"));
        }
        let pairs = self.each(META, layout::DISPLACED, |_, _, _| Ok(()))?;
        if pairs != 2 * displaced {
            let what = format!("{pairs} numbers of {displaced} records that have two");
            self.find(META, what);
        }
        Ok(())
    }

    fn named(&mut self, number: u64, key: &[u8]) -> Result<(), StoreError> {
        let row = self
            .snapshot
            .get(ROWS, &layout::row_key(store::Row(number)));
        if row.map_err(fault::engine)?.as_deref() != Some(key) {
            self.find(ROWS, format!("row {number} does not name its record"));
        }
        Ok(())
    }

    fn displaced(&mut self, number: u64, other: u64) -> Result<(), StoreError> {
        let found = self.snapshot.get(META, &layout::displaced_key(number));
        if found.map_err(fault::engine)?.as_deref() != Some(&layout::encode_number(other)[..]) {
            self.find(META, format!("number {number} does not lead to {other}"));
        }
        Ok(())
    }

    fn versions(&mut self, tree: Tree) -> Result<(), StoreError> {
        self.each(tree, b"", |checks, key, value| {
            let (space, kind, row) = layout::place_of_key(key)?;
            let version = Version::decode(value)?;
            if tree == HISTORY && layout::version_of_key(key)? != version.number {
                checks.find(
                    tree,
                    format!("a version of row {} is in a wrong place", row.0),
                );
            }
            if !version.packed.is_empty()
                && checks.tenant.dictionaries.unpack(&version.packed).is_err()
            {
                checks.find(tree, format!("a body of row {} cannot be unpacked", row.0));
            }
            let lists = [
                layout::kind_changes(space, kind),
                layout::space_changes(space),
            ];
            for list in lists {
                if !checks.has(CHANGES, &layout::change_key(&list, version.position))? {
                    checks.find(
                        CHANGES,
                        format!("position {} is not listed", version.position.0),
                    );
                }
            }
            for blob in &version.blobs {
                if !checks.has(META, &layout::blob_key(blob, row, version.number))? {
                    checks.find(META, format!("a blob of row {} is not listed", row.0));
                }
            }
            if tree == BODIES {
                checks.newest_blobs(row, &version)?;
            }
            Ok(())
        })
        .map(|_| ())
    }

    fn newest_blobs(&mut self, row: store::Row, newest: &Version) -> Result<(), StoreError> {
        let listed = self
            .snapshot
            .get(META, &layout::newest_blobs_key(row))
            .map_err(fault::engine)?;
        let listed = listed
            .map(|bytes| layout::decode_blobs(&bytes))
            .transpose()?;
        if listed.unwrap_or_default() != newest.blobs {
            let what = format!("the blobs of row {} are listed wrongly", row.0);
            self.find(META, what);
        }
        Ok(())
    }

    fn changes(&mut self) -> Result<(), StoreError> {
        self.each(CHANGES, b"K", |checks, key, value| {
            let (space, kind) = layout::kind_of_posting(&key[1..])?;
            let changed = Changed::decode(value)?;
            let older = layout::history_key(space, kind, changed.row, changed.version);
            let newest = layout::body_key(space, kind, changed.row);
            let newest = checks
                .snapshot
                .get(BODIES, &newest)
                .map_err(fault::engine)?;
            let newest = newest.map(|bytes| Version::decode(&bytes)).transpose()?;
            let is_newest = newest.is_some_and(|newest| newest.number == changed.version);
            let kept = checks.tenant.versions(space) == Versions::Kept;
            let there = is_newest || (kept && checks.has(HISTORY, &older)?);
            if !there {
                checks.find(
                    HISTORY,
                    format!("a version of row {} is missing", changed.row.0),
                );
            }
            Ok(())
        })
        .map(|_| ())
    }

    fn index(&mut self) -> Result<(), StoreError> {
        let (mut postings, mut incoming) = (0_u64, 0_u64);
        self.each(ENTRIES, b"", |checks, key, value| {
            let row = layout::row_of_key(key)?;
            let indexed = Indexed::decode(value)?;
            let record = checks.snapshot.get(ROWS, key).map_err(fault::engine)?;
            let Some(record) = record else {
                checks.find(ROWS, format!("row {} is missing", row.0));
                return Ok(());
            };
            let record = layout::key_of_row(&record)?;
            let head = head_of(&checks.snapshot, &record)?;
            if !head.is_some_and(|head| head.live()) {
                checks.find(ENTRIES, format!("row {} is not live", row.0));
            }
            for posting in indexed.postings(record.space, record.kind, row) {
                postings += 1;
                if !checks.has(POSTINGS, &posting)? {
                    checks.find(POSTINGS, format!("a posting of row {} is missing", row.0));
                }
            }
            for (target, _) in indexed.targets() {
                incoming += 1;
                if !checks.has(INCOMING, &layout::incoming_key(target, row))? {
                    checks.find(INCOMING, format!("a reference of row {} is missing", row.0));
                }
                if !checks.has(ROWS, &layout::referent_key(target))? {
                    checks.find(ROWS, format!("row {} is referred to and missing", target.0));
                }
            }
            Ok(())
        })?;
        // All that should be there is; more would be what no entry stands for.
        for (tree, expected) in [(POSTINGS, postings), (INCOMING, incoming)] {
            let held = self.each(tree, b"", |_, _, _| Ok(()))?;
            if held != expected && self.findings.is_empty() {
                self.find(tree, format!("{held} entries instead of {expected}"));
            }
        }
        Ok(())
    }

    fn counts(&mut self) -> Result<(), StoreError> {
        self.each(META, layout::COUNTS, |checks, key, value| {
            let (space, kind) = layout::kind_of_count(key)?;
            let live = checks.each(POSTINGS, &layout::live_postings(space, kind), |_, _, _| {
                Ok(())
            })?;
            if live != layout::decode_number(value)? {
                checks.find(
                    META,
                    format!("the number of live records of type {} is wrong", kind.0),
                );
            }
            Ok(())
        })
        .map(|_| ())
    }

    fn blobs(&mut self) -> Result<(), StoreError> {
        let mut last = None;
        self.each(META, layout::BLOB_USES, |checks, key, _| {
            let blob = layout::blob_of_key(key)?;
            if last.replace(blob) != Some(blob) {
                let finding = blob_finding(&checks.tenant.blobs, &blob);
                checks.findings.extend(finding);
            }
            Ok(())
        })
        .map(|_| ())
    }
}
