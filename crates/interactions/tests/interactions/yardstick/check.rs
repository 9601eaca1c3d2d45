//! One query, asked of the stack page by page and of the evaluator at once.

use fhir::Definitions;
use interactions::{Handling, Matched, SearchAnswer, SearchMode, Within};
use search::query::{Context, Query, QueryLimits};
use search::reference::Bases;
use search::yardstick::{Stored, Yardstick};

use super::Asked;
use crate::harness::{Host, issues, key};

/// What came of a query.
pub(super) enum Checked {
    /// It cannot be asked, for this reason.
    Refused(String),
    /// It was answered.
    Compared {
        /// Resources that match.
        hits: usize,
        /// Resources of the types that are searched.
        searched: usize,
        /// How the answer differs from what the evaluator says.
        difference: Option<String>,
    },
}

impl Checked {
    /// Whether it found some and not all.
    pub(super) fn tells(&self) -> bool {
        match self {
            Self::Refused(_) => false,
            Self::Compared { hits, searched, .. } => *hits > 0 && hits < searched,
        }
    }
}

/// Pages of one answer at most: more than a world has resources.
const PAGES_MAX: usize = 10_000;

/// Asks for it, and compares matches, order, total, pages and what each page includes.
pub(super) async fn check(
    host: &Host,
    yardstick: &Yardstick<'_>,
    world: &[Stored],
    asked: &Asked,
) -> Checked {
    let (kind, version) = (asked.kind, host.caller.version);
    let types = asked.types.clone().unwrap_or_else(|| vec![kind]);
    let bases = Bases::default();
    let context = Context {
        version,
        types: &types,
        bases: &bases,
        handling: Handling::Strict,
        limits: QueryLimits::default(),
    };
    let count = if asked.text.contains("&_count=") {
        ""
    } else {
        "&_count=1000"
    };
    let text = format!("{}&_total=accurate{count}", asked.text);
    let query = match Query::parse(&text, &context) {
        Ok(query) => query,
        Err(issues) => {
            let what = issues.into_iter().map(|it| it.what);
            return Checked::Refused(what.collect::<Vec<_>>().join("; "));
        }
    };
    let mut expected = yardstick.matches(&types, &query);
    if let Some((of, id)) = &asked.within {
        expected.retain(|it| yardstick.is_within(&world[*it], of, id));
    }
    let size = query.result.count.unwrap_or(usize::MAX);
    let pages = expected.chunks(size.max(1)).map(|page| {
        let included = yardstick.included(page, &query.includes);
        Page::new(world, page, included)
    });
    let mut pages: Vec<Page> = pages.collect();
    if pages.is_empty() {
        pages.push(Page::default());
    }
    let found = found(host, asked, &text, expected.len()).await;
    let difference = match found {
        Ok(found) if found == pages => None,
        Ok(found) => Some(format!("found    {found:?}\n  expected {pages:?}")),
        Err(why) => Some(why),
    };
    let within = asked
        .within
        .as_ref()
        .map(|it| format!("{}/{}/", it.0, it.1));
    let of = within.unwrap_or_default();
    let kind = asked.types.as_ref().map_or(kind, |_| "*");
    Checked::Compared {
        hits: expected.len(),
        searched: world.iter().filter(|it| types.contains(&it.kind)).count(),
        difference: difference.map(|it| format!("{version} {of}{kind}?{text}\n  {it}")),
    }
}

/// The places of a page: matches in order, then what is included.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    matches: Vec<String>,
    included: Vec<String>,
}

impl Page {
    fn new(world: &[Stored], matches: &[usize], included: impl IntoIterator<Item = usize>) -> Self {
        let name = |it: usize| format!("{}/{}", world[it].kind, world[it].id);
        let mut included: Vec<String> = included.into_iter().map(name).collect();
        included.sort();
        Self {
            matches: matches.iter().copied().map(name).collect(),
            included,
        }
    }

    fn of(answer: &SearchAnswer) -> Self {
        let named = |wanted: SearchMode| {
            let entries = answer.entries.iter().filter_map(|it| match it {
                Matched::Resource { resource, mode, .. } if *mode == wanted => {
                    Some(resource.key.to_string())
                }
                _ => None,
            });
            entries.collect::<Vec<_>>()
        };
        let mut included = named(SearchMode::Include);
        included.sort();
        // A reference may name an older version beside the newest.
        included.dedup();
        Self {
            matches: named(SearchMode::Match),
            included,
        }
    }
}

/// All pages, each of which must tell the total.
async fn found(host: &Host, asked: &Asked, text: &str, total: usize) -> Result<Vec<Page>, String> {
    let definitions = Definitions::of(host.caller.version);
    let kind = definitions.resource(asked.kind).expect("a type").name;
    let is_one = asked.types.is_none();
    let within = || match &asked.within {
        None if is_one => Within::Type(kind.to_owned()),
        None => Within::System,
        Some((of, id)) => Within::Compartment {
            of: key(&format!("{of}/{id}")),
            resource_type: is_one.then(|| kind.to_owned()),
        },
    };
    let mut pages = Vec::new();
    let mut text = text.to_owned();
    while pages.len() < PAGES_MAX {
        let answer = host
            .interactions
            .search(&host.caller, within(), &text, Handling::Strict)
            .await
            .map_err(|it| issues(&it))?;
        if answer.total != Some(total as u64) {
            return Err(format!("total {:?} instead of {total}", answer.total));
        }
        pages.push(Page::of(&answer));
        let Some(next) = answer.next_query else {
            return Ok(pages);
        };
        text = next;
    }
    Err("pages without end".to_owned())
}
