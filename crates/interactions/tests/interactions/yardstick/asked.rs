//! Random queries over every type and parameter of a world.

mod values;

use fhir::definitions::SearchType;
use fhir::{Definitions, FhirVersion};
use search::query::ParameterKind;
use search::registry::{Facets, Parameter, Registry};
use search::yardstick::Stored;

use super::everything;
use super::queries::{Cell, PREFIXES};
use super::samples::{Sample, Samples};
use super::world::Dice;

/// Where chains end: names become no longer.
const NAME_MAX: usize = 80;

/// What is searched, where.
pub(super) struct Asked {
    pub(super) kind: &'static str,
    /// At the level of the system, or of a whole compartment: all types that are searched.
    pub(super) types: Option<Vec<&'static str>>,
    /// Type and id of what is in the middle of a compartment.
    pub(super) within: Option<(&'static str, String)>,
    pub(super) text: String,
    /// What a query of one criterion is about.
    pub(super) cell: Option<Cell>,
}

impl Asked {
    /// The types that are searched.
    pub(super) fn searched(&self) -> Vec<&'static str> {
        self.types.clone().unwrap_or_else(|| vec![self.kind])
    }

    /// Where it is asked, as in a URL.
    pub(super) fn place(&self) -> String {
        let kind = self.types.as_ref().map_or(self.kind, |_| "*");
        match &self.within {
            Some((of, id)) => format!("{of}/{id}/{kind}"),
            None => kind.to_owned(),
        }
    }

    fn add(&mut self, more: Option<String>) {
        if let Some(more) = more {
            self.text += "&";
            self.text += &more;
            self.cell = None;
        }
    }
}

/// Makes queries about a world.
pub(super) struct Asker<'w> {
    version: FhirVersion,
    of_each: usize,
    world: &'w [Stored],
    samples: Samples<'w>,
    /// Every parameter that leads from a type to resources of another one.
    links: Vec<Link>,
    dice: Dice,
    /// How many comparators were asked for.
    turn: usize,
}

#[derive(Clone, Copy)]
struct Link {
    from: &'static str,
    code: &'static str,
    to: &'static [&'static str],
}

impl<'w> Asker<'w> {
    pub(super) fn new(
        version: FhirVersion,
        of_each: usize,
        world: &'w [Stored],
        dice: Dice,
    ) -> Self {
        let mut asker = Self {
            version,
            of_each,
            world,
            samples: Samples::new(version, world),
            links: Vec::new(),
            dice,
            turn: 0,
        };
        asker.links = asker.linked();
        asker
    }

    /// Parameters whose values in this world are references or canonical URLs.
    fn linked(&mut self) -> Vec<Link> {
        let mut links = Vec::new();
        for of in Definitions::of(self.version).resources() {
            for parameter in Registry::of(self.version).parameters(of.name) {
                let samples = self.samples.of(of.name, parameter);
                let is_reference =
                    |it: &Sample| matches!(it, Sample::Reference(_) | Sample::Plain(_));
                let definition = parameter.definition;
                if definition.search_type == SearchType::Reference
                    && samples.iter().any(is_reference)
                {
                    links.push(Link {
                        from: of.name,
                        code: definition.code,
                        to: definition.targets,
                    });
                }
            }
        }
        links
    }

    /// A query that begins with a criterion of this parameter.
    pub(super) fn about(&mut self, kind: &'static str, parameter: &Parameter) -> Option<Asked> {
        let (name, value, cell) = self.criterion(kind, parameter)?;
        let mut asked = Asked {
            kind,
            types: None,
            within: None,
            text: String::new(),
            cell: None,
        };
        let criterion = match self.dice.below(12) {
            0 => self.chained(&mut asked, &name),
            1 => self.referring(&mut asked, &name),
            _ => {
                asked.cell = Some(cell);
                name
            }
        };
        asked.text = format!("{criterion}={value}");
        self.dress(&mut asked);
        Some(asked)
    }

    /// A query of one criterion of that place in the table, by some parameter of some type.
    pub(super) fn about_cell(&mut self, cell: Cell) -> Option<Asked> {
        let registry = Registry::of(self.version);
        let kinds = Definitions::of(self.version).resources();
        let all = kinds.flat_map(|it| {
            let own = registry.parameters(it.name).iter();
            own.map(|parameter| (it.name, parameter))
        });
        let fitting = all.filter(|it| ParameterKind::of(&it.1.facets) == cell.kind);
        let fitting: Vec<_> = fitting.collect();
        let (kind, parameter) = fitting[self.dice.below(fitting.len())];
        let (name, value) = self.criterion_of(kind, parameter, cell)?;
        Some(Asked {
            kind,
            types: None,
            within: None,
            text: format!("{name}={value}"),
            cell: Some(cell),
        })
    }

    /// A query of several types at once, or of a whole compartment, by what all of them have.
    pub(super) fn about_many(&mut self) -> Option<Asked> {
        let definitions = Definitions::of(self.version);
        let all: Vec<&'static str> = definitions.resources().map(|it| it.name).collect();
        let mut asked = Asked {
            kind: all[0],
            types: None,
            within: None,
            text: String::new(),
            cell: None,
        };
        let types = if self.dice.below(3) == 0 {
            asked.kind = "Patient";
            self.put_into_compartment(&mut asked);
            let of = definitions.compartment(asked.within.as_ref()?.0)?;
            let members = of.members().iter().filter(|it| !it.1.is_empty());
            let mut members: Vec<_> = members.map(|it| it.0).collect();
            members.extend(Some(of.name).filter(|it| !members.contains(it)));
            all.into_iter().filter(|it| members.contains(it)).collect()
        } else {
            let first = self.dice.below(all.len() - 3);
            let types = all[first..first + 3].to_vec();
            asked.text = format!("_type={}", types.join(","));
            types
        };
        asked.kind = types[0];
        asked.types = Some(types);
        let own = Registry::of(self.version).parameters(asked.kind).iter();
        let common: Vec<_> = own
            .filter(|it| it.definition.code.starts_with('_'))
            .collect();
        let parameter = common[self.dice.below(common.len())];
        if let Some((name, value, _)) = self.criterion(asked.kind, parameter) {
            asked.add(Some(format!("{name}={value}")));
        }
        let sorts = [
            "",
            "&_sort=-_lastUpdated",
            "&_sort=_id,-_lastUpdated",
            "&_sort=_tag",
        ];
        asked.text += sorts[self.dice.below(sorts.len())];
        asked.text += ["", "&_count=3", "&_include=*"][self.dice.below(3)];
        asked.text = asked.text.trim_start_matches('&').to_owned();
        Some(asked)
    }

    /// A name that leads to the criterion from another type, perhaps from further away.
    fn chained(&mut self, asked: &mut Asked, name: &str) -> String {
        let kind = asked.kind;
        let leads = |it: &&Link| it.to.contains(&kind);
        let links: Vec<Link> = self.links.iter().filter(leads).copied().collect();
        if links.is_empty() || name.len() > NAME_MAX {
            return name.to_owned();
        }
        let link = links[self.dice.below(links.len())];
        asked.kind = link.from;
        let name = if link.to.len() == 1 && self.dice.below(2) == 0 {
            format!("{}.{name}", link.code)
        } else {
            format!("{}:{kind}.{name}", link.code)
        };
        match self.dice.below(4) {
            0 => self.chained(asked, &name),
            1 => self.referring(asked, &name),
            _ => name,
        }
    }

    /// A name that leads to the criterion from what the type refers to.
    fn referring(&mut self, asked: &mut Asked, name: &str) -> String {
        let kind = asked.kind;
        let leads = |it: &&Link| it.from == kind && !it.to.is_empty();
        let links: Vec<Link> = self.links.iter().filter(leads).copied().collect();
        if links.is_empty() || name.len() > NAME_MAX {
            return name.to_owned();
        }
        let link = links[self.dice.below(links.len())];
        asked.kind = link.to[self.dice.below(link.to.len())];
        let name = format!("_has:{kind}:{}:{name}", link.code);
        match self.dice.below(4) {
            0 => self.referring(asked, &name),
            1 => self.chained(asked, &name),
            _ => name,
        }
    }

    fn dress(&mut self, asked: &mut Asked) {
        if self.dice.below(8) == 0 && may_be_contained(&asked.text) {
            self.look_inside(asked);
            return self.dress_result(asked);
        }
        if self.dice.below(6) == 0 {
            let more = self.any_criterion(asked.kind);
            asked.add(more);
        }
        match self.dice.below(24) {
            0 => {
                let parts = 2 + self.dice.below(3);
                let part = 1 + self.dice.below(parts);
                asked.add(Some(format!("_partition={part}/{parts}")));
            }
            1 => {
                let list = self.list();
                asked.add(Some(list));
            }
            2 => {
                let unreferenced = self.unreferenced(asked.kind);
                asked.add(unreferenced);
            }
            3 => {
                let updated = self.updated();
                asked.add(Some(updated));
            }
            4 | 5 => self.put_into_compartment(asked),
            _ => {}
        }
        self.dress_result(asked);
    }

    /// Order, includes and pages.
    fn dress_result(&mut self, asked: &mut Asked) {
        if self.dice.below(4) == 0 {
            let sort = self.sort(asked.kind);
            asked.text += &sort;
        }
        if self.dice.below(8) == 0 {
            let include = self.include(asked.kind);
            asked.text += &include;
        }
        if self.dice.below(5) == 0 {
            asked.text += ["&_count=1", "&_count=2", "&_count=5"][self.dice.below(3)];
        }
    }

    /// Searches what is contained too, or only that.
    fn look_inside(&mut self, asked: &mut Asked) {
        asked.text += self.dice.pick(&["&_contained=true", "&_contained=both"]);
        asked.text +=
            self.dice
                .pick(&["", "&_containedType=container", "&_containedType=contained"]);
        asked.cell = None;
        match self.dice.below(8) {
            0 => self.put_into_compartment(asked),
            1 => asked.add(Some("_partition=1/2".to_owned())),
            2 => {
                let updated = self.updated();
                asked.add(Some(updated));
            }
            _ => {}
        }
    }

    fn any_criterion(&mut self, kind: &'static str) -> Option<String> {
        let all = Registry::of(self.version).parameters(kind);
        let parameter = &all[self.dice.below(all.len())];
        let (name, value, _) = self.criterion(kind, parameter)?;
        Some(format!("{name}={value}"))
    }

    fn list(&mut self) -> String {
        let one = everything::id(self.dice.below(self.of_each));
        let other = everything::id(self.dice.below(self.of_each));
        format!("_list={one},{other}")
    }

    fn unreferenced(&mut self, kind: &'static str) -> Option<String> {
        let leads = |it: &&Link| it.to.contains(&kind);
        let links: Vec<Link> = self.links.iter().filter(leads).copied().collect();
        let link = *links.get(self.dice.below(links.len().max(1)))?;
        Some(match self.dice.below(3) {
            0 => format!("_not-referenced={}:{}", link.from, link.code),
            1 => format!("_not-referenced={}:*", link.from),
            _ => "_not-referenced=*:*".to_owned(),
        })
    }

    fn updated(&mut self) -> String {
        let prefix = PREFIXES[self.dice.below(PREFIXES.len())];
        format!("_lastUpdated={}", self.instant(prefix))
    }

    /// When something was written, or long before that. What is about now reaches further the later
    /// it is asked for: of that, the day.
    fn instant(&mut self, prefix: &str) -> String {
        if self.dice.below(5) == 0 {
            return format!("{prefix}2020-05");
        }
        let stored = &self.world[self.dice.below(self.world.len())];
        let instant = fhir::Instant::from_micros(stored.updated).to_string();
        let length = if prefix == "ap" { 10 } else { instant.len() };
        format!("{prefix}{}", &instant[..length])
    }

    fn put_into_compartment(&mut self, asked: &mut Asked) {
        let compartments = Definitions::of(self.version).compartments();
        let has = |it: &&fhir::definitions::Compartment| {
            let members = it.members().iter();
            let mut members = members.filter(|it| !it.1.is_empty());
            members.any(|it| it.0 == asked.kind)
        };
        let fitting: Vec<_> = compartments.iter().filter(has).collect();
        if fitting.is_empty() {
            return;
        }
        let of = fitting[self.dice.below(fitting.len())].name;
        let of = Definitions::of(self.version).resource(of).unwrap().name;
        asked.within = Some((of, everything::id(self.dice.below(self.of_each))));
        asked.cell = None;
    }

    fn sort(&mut self, kind: &'static str) -> String {
        let all = Registry::of(self.version).parameters(kind);
        let can = |it: &&Parameter| {
            !matches!(
                it.facets,
                Facets::Elsewhere | Facets::Place(_) | Facets::Words(_) | Facets::Composite(_)
            )
        };
        let codes: Vec<&str> = all
            .iter()
            .filter(can)
            .map(|it| it.definition.code)
            .collect();
        let count = 1 + self.dice.below(3);
        let keys = (0..count).map(|_| {
            let sign = self.dice.pick(&["", "-"]);
            format!("{sign}{}", self.dice.pick(&codes))
        });
        let keys: Vec<String> = keys.collect();
        format!("&_sort={}", keys.join(","))
    }

    fn include(&mut self, kind: &'static str) -> String {
        let own: Vec<Link> = self
            .links
            .iter()
            .filter(|it| it.from == kind)
            .copied()
            .collect();
        let to: Vec<Link> = self
            .links
            .iter()
            .filter(|it| it.to.contains(&kind))
            .copied()
            .collect();
        let own = own.get(self.dice.below(own.len().max(1)));
        let to = to.get(self.dice.below(to.len().max(1)));
        match (self.dice.below(9), own, to) {
            (0, ..) => format!("&_include={kind}:*"),
            (1, ..) => "&_include=*".to_owned(),
            (2, Some(own), _) if !own.to.is_empty() => {
                let target = own.to[self.dice.below(own.to.len())];
                format!("&_include={kind}:{}:{target}", own.code)
            }
            (3, Some(own), _) => format!(
                "&_include={kind}:{}&_include:iterate=Patient:organization&_include:iterate=Organization:partof",
                own.code
            ),
            (4, _, Some(to)) => format!("&_revinclude={}:{}", to.from, to.code),
            (5, _, Some(to)) => format!(
                "&_revinclude={}:{}&_include:iterate={}:*",
                to.from, to.code, to.from
            ),
            (6, _, Some(to)) => format!("&_revinclude={}:*", to.from),
            (_, Some(own), _) => format!("&_include={kind}:{}", own.code),
            _ => String::new(),
        }
    }
}

/// Whether what is contained can be asked so: nothing refers to it from outside.
fn may_be_contained(text: &str) -> bool {
    !["_has:", "_list"].iter().any(|it| text.starts_with(it))
}
