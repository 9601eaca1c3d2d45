//! Key spaces: named ordered trees with their options, and how one is opened. The trees are
//! `lsm-tree`'s, without its separation of keys and values: one kind of file less to trust
//! (docs/decisions/0003).

use std::path::Path;
use std::sync::Arc;

use lsm_tree::config::{
    BlockSizePolicy, BloomConstructionPolicy, CompressionPolicy, FilterPolicy, FilterPolicyEntry,
    PinningPolicy,
};
use lsm_tree::{AnyTree, CompressionType, Config, SequenceNumberCounter};

use super::budgets::Budgets;
use super::error::EngineError;

/// A key space by its position in the list that `Engine::open` was given.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Space(pub(crate) u8);

/// What a tree is called on disk and how it stores its blocks. Options may change between versions
/// of the program: they hold for the blocks written from then on. A name is for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeySpace {
    /// Lower-case letters; the folder of the tree.
    pub(crate) name: &'static str,
    /// Size of a block before compression. Small blocks serve point reads, large ones scans and
    /// compression.
    pub(crate) block_bytes: u32,
    /// Whether blocks are compressed; of no use for values that are compressed already.
    pub(crate) compression: Compression,
    /// Whether point reads of absent keys are worth a filter (10 bits per key).
    pub(crate) filter: Filter,
}

/// Compression of data blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Compression {
    /// Stored as they are.
    None,
    /// LZ4.
    Lz4,
}

/// Whether tables carry a Bloom filter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Filter {
    /// No filter: the space is only scanned, or its keys are known to exist.
    None,
    /// A Bloom filter.
    Bloom,
}

/// The folder of trees in an engine's directory.
pub(super) const SPACES: &str = "spaces";

impl KeySpace {
    pub(super) fn open(
        &self,
        dir: &Path,
        budgets: &Budgets,
        seqno: &SequenceNumberCounter,
    ) -> Result<AnyTree, EngineError> {
        let path = dir.join(SPACES).join(self.name);
        let compression = match self.compression {
            Compression::None => CompressionType::None,
            Compression::Lz4 => CompressionType::Lz4,
        };
        let filter = match self.filter {
            Filter::None => FilterPolicyEntry::None,
            Filter::Bloom => FilterPolicyEntry::Bloom(BloomConstructionPolicy::BitsPerKey(10.0)),
        };
        // Visibility is decided by `Snapshots` alone: the tree's own counter is one nobody reads,
        // because flushing raises it and would thereby publish what is written and not yet synced.
        let visible = SequenceNumberCounter::default();
        Config::new(&path, seqno.clone(), visible)
            .use_cache(Arc::clone(&budgets.cache))
            .use_descriptor_table(Some(Arc::clone(&budgets.descriptors)))
            .data_block_size_policy(BlockSizePolicy::all(self.block_bytes))
            .data_block_compression_policy(CompressionPolicy::all(compression))
            .index_block_compression_policy(CompressionPolicy::all(CompressionType::None))
            // Pinned blocks are outside the shared budget, and thousands of tenants would each pin
            // theirs.
            .index_block_pinning_policy(PinningPolicy::all(false))
            .filter_block_pinning_policy(PinningPolicy::all(false))
            .filter_policy(FilterPolicy::all(filter))
            .open()
            .map_err(|error| tree_error(&path, &error))
    }
}

/// Translates an error of a tree where no better place than the tree's folder is known.
pub(super) fn tree_error(path: &Path, error: &lsm_tree::Error) -> EngineError {
    match error {
        lsm_tree::Error::Io(source) if source.kind() != std::io::ErrorKind::UnexpectedEof => {
            EngineError::Io {
                doing: "use",
                file: path.to_owned(),
                source: std::io::Error::new(source.kind(), source.to_string()),
            }
        }
        other => EngineError::corrupt(path, fault_of(other)),
    }
}

/// The kind of damage; `lsm_tree`'s own texts are debug output.
pub(super) fn fault_of(error: &lsm_tree::Error) -> &'static str {
    match error {
        lsm_tree::Error::Io(_) => "shorter than recorded",
        lsm_tree::Error::Decompress(_) => "a block does not decompress",
        lsm_tree::Error::InvalidVersion(_) => "unknown version",
        lsm_tree::Error::ChecksumMismatch { .. } => "checksum mismatch",
        lsm_tree::Error::Unrecoverable => "unreadable, or a file is missing",
        _ => "malformed block",
    }
}
