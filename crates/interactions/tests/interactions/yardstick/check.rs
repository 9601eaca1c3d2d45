//! One query, asked of the stack page by page and of the evaluator at once.

use fhir::{Definitions, FhirVersion};
use interactions::{Handling, Matched, SearchAnswer, SearchMode, Within};
use search::query::{Context, Query, QueryLimits};
use search::reference::Bases;
use search::yardstick::{Match, Stored, Yardstick};

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

/// The limit that a reference without its type goes over where everything that may contain
/// something is looked into.
const OVER: &str = "`tests_max`";

/// Pages of one answer at most: more than a world has resources.
const PAGES_MAX: usize = 10_000;

/// A query, understood, and what the evaluator says.
pub(super) struct Expected {
    text: String,
    query: Query,
    matches: Vec<Match>,
    searched: usize,
}

impl Expected {
    /// Whether it finds some and not all.
    pub(super) fn tells(&self) -> bool {
        !self.matches.is_empty() && self.matches.len() < self.searched
    }
}

/// What is to come of a query, or why it cannot be asked.
pub(super) fn expected(
    yardstick: &Yardstick<'_>,
    version: FhirVersion,
    asked: &Asked,
) -> Result<Expected, String> {
    let types = asked.searched();
    let context = Context {
        version,
        types: &types,
        bases: &Bases::default(),
        handling: Handling::Strict,
        limits: QueryLimits::default(),
    };
    let count = if asked.text.contains("&_count=") {
        ""
    } else {
        "&_count=1000"
    };
    let text = format!("{}&_total=accurate{count}", asked.text);
    let query = Query::parse(&text, &context).map_err(|issues| {
        let what = issues.into_iter().map(|it| it.what);
        what.collect::<Vec<_>>().join("; ")
    })?;
    let within = asked.within.as_ref().map(|(of, id)| (*of, id.as_str()));
    Ok(Expected {
        matches: yardstick.matches(&types, within, &query),
        searched: yardstick.candidates(&types, &query),
        text,
        query,
    })
}

/// Asks for it, and compares matches, order, total, pages and what each page includes.
pub(super) async fn check(
    host: &Host,
    yardstick: &Yardstick<'_>,
    world: &[Stored],
    asked: &Asked,
    expected: Result<Expected, String>,
) -> Checked {
    let Expected {
        text,
        query,
        matches,
        searched,
    } = match expected {
        Ok(expected) => expected,
        Err(why) => return Checked::Refused(why),
    };
    let found = match found(host, asked, &text, matches.len()).await {
        Err(why) if why.contains(OVER) => return Checked::Refused(OVER.to_owned()),
        found => found,
    };
    let size = query.result.count.unwrap_or(usize::MAX).max(1);
    let difference = found.and_then(|found| {
        let pages = parts(&matches, size, &found).into_iter().map(|page| {
            let included = yardstick.included(page, &query.includes);
            Page::new(world, page, included)
        });
        let pages: Vec<Page> = pages.collect();
        if found == pages {
            return Ok(());
        }
        Err(format!("found    {found:?}\n  expected {pages:?}"))
    });
    let place = asked.place();
    Checked::Compared {
        hits: matches.len(),
        searched,
        difference: difference
            .err()
            .map(|it| format!("{} {place}?{text}\n  {it}", host.caller.version)),
    }
}

/// The matches of each page. Contained resources of one container stay together: what is given by
/// itself may make a page longer than was asked for, or shorter.
fn parts<'m>(expected: &'m [Match], size: usize, found: &[Page]) -> Vec<&'m [Match]> {
    if expected.iter().all(|it| it.contained.is_none()) {
        return match expected {
            [] => vec![expected],
            _ => expected.chunks(size).collect(),
        };
    }
    let mut parts = Vec::new();
    let mut rest = expected;
    for page in found {
        let (part, after) = rest.split_at(page.matches.len().clamp(1, rest.len()));
        let is_of_one = part.iter().all(|it| it.at == part[0].at);
        let is_cut = after
            .first()
            .is_some_and(|it| it.at == part[part.len() - 1].at);
        if part.len() > size && !is_of_one || is_cut {
            break;
        }
        parts.push(part);
        rest = after;
        if rest.is_empty() {
            break;
        }
    }
    parts
}

/// The places of a page: matches in order, then what is included.
#[derive(Debug, Default, PartialEq, Eq)]
struct Page {
    matches: Vec<String>,
    included: Vec<String>,
}

impl Page {
    fn new(world: &[Stored], matches: &[Match], included: impl IntoIterator<Item = usize>) -> Self {
        let name = |it: usize| format!("{}/{}", world[it].kind, world[it].id);
        let mut included: Vec<String> = included.into_iter().map(name).collect();
        included.sort();
        let matches = matches.iter().map(|it| match &it.contained {
            Some(inner) => format!("{}#{inner}", name(it.at)),
            None => name(it.at),
        });
        Self {
            matches: matches.collect(),
            included,
        }
    }

    fn of(answer: &SearchAnswer) -> Self {
        let named = |wanted: SearchMode| {
            let entries = answer.entries.iter().filter_map(|it| match it {
                Matched::Resource { resource, mode, .. } if *mode == wanted => {
                    Some(resource.key.to_string())
                }
                Matched::Contained { container, id, .. } if wanted == SearchMode::Match => {
                    Some(format!("{container}#{id}"))
                }
                _ => None,
            });
            entries.collect::<Vec<_>>()
        };
        let matches = named(SearchMode::Match);
        let mut included = named(SearchMode::Include);
        included.sort();
        // A reference may name an older version, beside the newest or of a match.
        included.dedup();
        included.retain(|it| !matches.contains(it));
        Self { matches, included }
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
