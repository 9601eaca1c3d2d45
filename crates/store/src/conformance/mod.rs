//! The suite that every provider runs: a case for each promise of the contract.
//!
//! [`run`] opens stores through a [`Provider`] and runs every case twice: once in one go, once
//! closing and opening the store at every pause of the case, so that whatever is promised holds
//! over a restart as well. Crashes and damaged files are the provider's own tests.

mod backups;
mod bench;
mod blobs;
mod clocks;
mod concurrency;
mod conditions;
mod crowds;
mod evaluate;
mod generate;
mod histories;
mod limits;
mod model;
mod names;
mod plans;
mod preconditions;
mod random;
mod records;
mod repeats;
mod searches;
mod tenants;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;

use crate::{Clock, Space, SpaceDefinition, Store, StoreError, StoreLimits, Versions};
use bench::{Bench, Mode};

/// How the suite gets its stores.
#[async_trait]
pub trait Provider: Send + Sync + 'static {
    /// Where one store's data lies; dropping it removes the data.
    type Place: Send + Sync + 'static;

    /// A new place, with nothing in it.
    async fn place(&self) -> Self::Place;

    /// Opens the store in a place. It is closed before the place is opened again.
    async fn open(&self, place: &Self::Place, setup: &Setup) -> Result<Arc<dyn Store>, StoreError>;
}

/// How a store is to be opened.
#[derive(Clone)]
pub struct Setup {
    /// Its spaces.
    pub spaces: Vec<SpaceDefinition>,
    /// Its limits.
    pub limits: StoreLimits,
    /// Its clock.
    pub clock: Arc<dyn Clock>,
}

/// A space that keeps all versions.
const KEPT: Space = Space(1);
/// Another one.
const OTHER: Space = Space(2);
/// A space that keeps only newest versions.
const NEWEST: Space = Space(3);

const SPACES: [SpaceDefinition; 3] = [
    SpaceDefinition {
        space: KEPT,
        name: "kept",
        versions: Versions::Kept,
    },
    SpaceDefinition {
        space: OTHER,
        name: "other",
        versions: Versions::Kept,
    },
    SpaceDefinition {
        space: NEWEST,
        name: "newest",
        versions: Versions::Newest,
    },
];

type Running<'b> = Pin<Box<dyn Future<Output = ()> + Send + 'b>>;
type Case = for<'b> fn(&'b Bench) -> Running<'b>;

/// Names a case by its function.
macro_rules! cases {
    ($($topic:ident: $($case:ident)+;)+) => {
        &[$($((
            concat!(stringify!($topic), "::", stringify!($case)),
            |bench: &Bench| -> Running<'_> { Box::pin($topic::$case(bench)) },
        )),+),+]
    };
}

const CASES: &[(&str, Case)] = cases! {
    records: versions_count_from_one a_deletion_is_a_version deleting_nothing_does_nothing
        a_purge_leaves_nothing_but_the_ledger a_purged_history_leaves_the_newest
        a_commit_happens_whole_or_not_at_all spaces_are_kept_apart rows_are_given_once
        reads_answer_in_order_by_key_and_row newest_spaces_keep_the_newest_only
        two_changes_of_one_record_are_refused a_view_never_changes
        large_commits_and_bodies_come_back;
    preconditions: expected_states unchanged references_must_exist
        referred_records_stay named_rows matches_runs_again_only_if_needed types_stay_untouched
        a_failed_precondition_changes_nothing;
    histories: three_levels pages_in_both_orders bounds_in_time the_past_stays_as_it_was;
    clocks: one_instant_per_commit_and_later_ones_later ledger_without_gaps lanes;
    repeats: a_repeated_commit_gives_the_first_answer another_hash_is_refused
        keys_belong_to_callers keys_expire refused_commits_are_not_remembered
        repeats_at_the_same_time;
    names: numbers_count_up_by_kind names_given_at_the_same_time
        named_rows_with_revision_and_expiry named_rows_by_prefix;
    blobs: bytes_come_back_in_parts unknown_blobs_are_refused orphans_are_collected
        outlines_name_blobs;
    tenants: created_listed_deleted data_of_tenants_is_apart unknown_tenants closed_stores_refuse;
    limits: each_limit_by_name;
    searches: every_test_and_filter pages_and_totals only_the_newest_is_searched
        referrers_of_records_that_come_later without_a_sort_the_order_is_that_of_creation;
    conditions: texts_and_uris periods numbers places groups parts chains references_by_name order_and_pages
        partitions_times_and_explanations indexed_anew entries_of_rows;
    concurrency: conditional_creates_make_one_record transactions_on_the_same_records
        groups_of_commits;
    random: a_random_life_equals_the_model;
    plans: random_plans_equal_the_model pages_to_the_end_equal_the_whole writers_between_pages;
    crowds: crowds_equal_the_model hubs_of_crowds;
    backups: a_restored_tenant_equals_the_original only_empty_tenants_are_restored;
};

/// Runs all cases.
///
/// # Panics
///
/// If a case fails; the message names the cases.
pub fn run(provider: impl Provider) {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build();
    let runtime = runtime.expect("the machine can run threads");
    let provider = Arc::new(provider);
    let mut failed = Vec::new();
    for (name, case) in CASES {
        for mode in [Mode::Live, Mode::Reopening] {
            if let Err(why) = runtime.block_on(run_one(Arc::clone(&provider), *case, mode)) {
                failed.push(format!("{name} ({mode:?}): {why}"));
            }
        }
    }
    report(CASES.len() * 2);
    assert!(
        failed.is_empty(),
        "the contract is not kept:\n{}",
        failed.join("\n")
    );
}

async fn run_one<P: Provider>(provider: Arc<P>, case: Case, mode: Mode) -> Result<(), String> {
    let running = tokio::spawn(async move {
        let bench = Bench::new(provider, mode).await;
        case(&bench).await;
        bench.end().await;
    });
    let Err(error) = running.await else {
        return Ok(());
    };
    let panic = error
        .try_into_panic()
        .map_err(|_| "it was ended".to_owned())?;
    let text = panic.downcast_ref::<String>().cloned();
    let text = text.or_else(|| panic.downcast_ref::<&str>().map(|text| (*text).to_owned()));
    Err(text.unwrap_or_default())
}

#[expect(clippy::print_stdout, reason = "the test runner collects this line")]
fn report(cases: usize) {
    println!("isthmus-suite: store conformance: {cases} cases");
}
