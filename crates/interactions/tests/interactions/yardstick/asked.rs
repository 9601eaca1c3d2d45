//! Random queries over every type and parameter of a world.

use std::fmt::Write as _;

use fhir::definitions::SearchType;
use fhir::{Definitions, FhirVersion};
use search::query::{HIERARCHIES, ParameterKind as Kind, rules};
use search::registry::{Facets, Parameter, Registry};
use search::yardstick::Stored;

use super::everything;
use super::queries::{Cell, PREFIXES};
use super::samples::{Sample, Samples, escaped};
use super::world::{DATES, Dice};

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
        };
        asker.links = asker.linked();
        asker
    }

    /// Parameters whose values in this world are references.
    fn linked(&mut self) -> Vec<Link> {
        let mut links = Vec::new();
        for of in Definitions::of(self.version).resources() {
            for parameter in Registry::of(self.version).parameters(of.name) {
                let samples = self.samples.of(of.name, parameter);
                let is_reference = |it: &Sample| matches!(it, Sample::Reference(_));
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

    /// When something was written. What is about now reaches further the later it is asked for: of
    /// that, the day.
    fn instant(&mut self, prefix: &str) -> String {
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

    /// A criterion: its name, its value and what it is about.
    fn criterion(
        &mut self,
        kind: &'static str,
        parameter: &Parameter,
    ) -> Option<(String, String, Cell)> {
        let code = parameter.definition.code;
        let of = Kind::of(&parameter.facets);
        let modifier = self.modifier(kind, parameter);
        let prefix = match modifier {
            "" if is_ordered(parameter) => PREFIXES[self.dice.below(PREFIXES.len())],
            _ => "",
        };
        let cell = Cell {
            kind: of,
            modifier,
            prefix,
        };
        let mut values = vec![self.value(kind, parameter, cell)?];
        while self.dice.below(5) == 0 && modifier != "missing" {
            values.push(self.value(kind, parameter, cell)?);
        }
        let separator = if of == Kind::Words { "+or+" } else { "," };
        let values = values.join(separator);
        let name = match modifier {
            "" => code.to_owned(),
            "Patient" => {
                let targets = parameter.definition.targets;
                let target = *targets.get(self.dice.below(targets.len().max(1)))?;
                format!("{code}:{target}")
            }
            other => format!("{code}:{other}"),
        };
        Some((name, values, cell))
    }

    fn modifier(&mut self, kind: &'static str, parameter: &Parameter) -> &'static str {
        let of = Kind::of(&parameter.facets);
        if self.dice.below(2) == 0 || matches!(of, Kind::Id | Kind::Updated) {
            return "";
        }
        let mut own: Vec<&str> = rules()
            .iter()
            .filter(|it| it.kinds.contains(&of))
            .map(|it| it.name)
            .collect();
        if of == Kind::Reference {
            own.push("Patient");
        }
        let samples = self.samples.of(kind, parameter);
        if !samples.iter().any(|it| matches!(it, Sample::OfType(_))) {
            own.retain(|it| *it != "of-type");
        }
        match own.len() {
            0 => "",
            count => own[self.dice.below(count)],
        }
    }

    fn value(&mut self, kind: &'static str, parameter: &Parameter, cell: Cell) -> Option<String> {
        let prefix = cell.prefix;
        match (cell.kind, cell.modifier) {
            (_, "missing") => return Some(self.dice.pick(&["true", "false"]).to_owned()),
            (Kind::Elsewhere, _) => return None,
            (Kind::Id, _) => return Some(everything::id(self.dice.below(self.of_each))),
            (Kind::Updated, _) => return Some(self.instant(prefix)),
            (Kind::Words, _) => {
                return Some(self.dice.pick(&["weight", "hohe", "ana"]).to_owned());
            }
            (Kind::Token, "in" | "not-in") => {
                let sets = ["http://sets/x", "http://sets/x/y", "ValueSet/v0"];
                return Some(self.dice.pick(&sets).to_owned());
            }
            (Kind::Token, "above" | "below") => {
                let codes = ["http://codes%7Ca", "http://codes%7Ca1", "http://codes%7Cb"];
                return Some(self.dice.pick(&codes).to_owned());
            }
            (Kind::Reference, "above" | "below") => return self.in_hierarchy(parameter),
            _ => {}
        }
        let samples = self.samples.of(kind, parameter);
        let fitting: Vec<&Sample> = samples.iter().filter(|it| fits(cell, it)).collect();
        let text = match fitting.len() {
            0 => self.made_up(cell)?,
            count => {
                let sample = fitting[self.dice.below(count)].clone();
                self.written(cell, &sample)
            }
        };
        Some(encoded(&text))
    }

    fn in_hierarchy(&mut self, parameter: &Parameter) -> Option<String> {
        let targets = parameter.definition.targets;
        let has = |it: &&(&str, &str)| targets.contains(&it.0);
        let (of, _) = HIERARCHIES.iter().find(has)?;
        Some(format!(
            "{of}/{}",
            everything::id(self.dice.below(self.of_each))
        ))
    }

    /// For what does not occur in this world.
    fn made_up(&mut self, cell: Cell) -> Option<String> {
        let prefix = cell.prefix;
        Some(match (cell.kind, cell.modifier) {
            (Kind::Date, _) => format!("{prefix}{}", self.dice.pick(DATES)),
            (Kind::Number | Kind::Quantity, _) => format!("{prefix}5"),
            (Kind::Token, "of-type") => "http://codes|a|1".to_owned(),
            (Kind::Uri, _) => "http://uris/a".to_owned(),
            (Kind::String | Kind::Token, _) => "a".to_owned(),
            (Kind::Reference, "identifier") => "1".to_owned(),
            (Kind::Reference, _) => "r0".to_owned(),
            _ => return None,
        })
    }

    fn written(&mut self, cell: Cell, sample: &Sample) -> String {
        let prefix = cell.prefix;
        match (sample, cell.kind) {
            (Sample::Plain(text), Kind::String) => self.part(cell.modifier, text),
            (Sample::Plain(text), Kind::Date) => format!("{prefix}{}", self.coarser(text)),
            (Sample::Plain(text), Kind::Number | Kind::Quantity) => format!("{prefix}{text}"),
            (Sample::Plain(text), Kind::Uri) => self.step(cell.modifier, text),
            (Sample::Plain(text), Kind::Token) | (Sample::OfType(text), _) => text.clone(),
            (Sample::Plain(text), _) => escaped(text),
            (Sample::Coded(system, code) | Sample::Logical(system, code), _) => {
                self.code(system.as_deref(), code)
            }
            (Sample::Display(text), _) => self.part("", text),
            (Sample::Reference(text), _) => self.reference(cell.modifier, text),
            (Sample::Quantity(number, units), Kind::Quantity) => {
                let unit = &units[self.dice.below(units.len())];
                format!("{prefix}{number}{unit}")
            }
            (Sample::Quantity(number, _), _) => format!("{prefix}{number}"),
            (Sample::Place(latitude, longitude), _) => match self.version {
                FhirVersion::R4 => format!("{latitude}|{longitude}|20|km"),
                FhirVersion::Stu3 => format!("{latitude}:{longitude}"),
            },
            (Sample::Composite(parts), _) => {
                let count = parts.len();
                let parts = parts.iter().enumerate().map(|(place, it)| {
                    let of = match it {
                        Sample::Quantity(..) => Kind::Quantity,
                        Sample::Coded(..) => Kind::Token,
                        Sample::Reference(_) => Kind::Reference,
                        Sample::Plain(text) if is_date(text) => Kind::Date,
                        _ => Kind::String,
                    };
                    let is_ordered = matches!(of, Kind::Quantity | Kind::Date);
                    let prefix = if is_ordered && place + 1 == count {
                        prefix
                    } else {
                        ""
                    };
                    let cell = Cell {
                        kind: of,
                        modifier: "",
                        prefix,
                    };
                    self.written(cell, it)
                });
                parts.collect::<Vec<_>>().join("$")
            }
        }
    }

    /// The beginning of a text, its middle or the whole, in some spelling.
    fn part(&mut self, modifier: &str, text: &str) -> String {
        let letters: Vec<char> = text.chars().collect();
        let count = letters.len();
        let cut: String = match (modifier, self.dice.below(3)) {
            ("exact", _) | (_, 0) => text.to_owned(),
            ("contains", _) => letters[count / 3..].iter().collect(),
            _ => letters[..count.min(3)].iter().collect(),
        };
        let spelled = match (modifier, self.dice.below(3)) {
            ("exact", _) | (_, 0) => cut,
            (_, 1) => cut.to_uppercase(),
            _ => cut.to_lowercase(),
        };
        match spelled.trim() {
            "" => escaped(text),
            it => escaped(it),
        }
    }

    /// A date with fewer digits, or as it is.
    fn coarser(&mut self, text: &str) -> String {
        let length = [4, 7, 10, text.len()][self.dice.below(4)];
        text.get(..length).unwrap_or(text).to_owned()
    }

    /// A URI, or a step above or below it.
    fn step(&mut self, modifier: &str, text: &str) -> String {
        let is_path = text.starts_with("http");
        match (modifier, self.dice.below(2)) {
            ("below", 0) if is_path => {
                let above = text.rsplit_once('/').map_or(text, |it| it.0);
                escaped(above)
            }
            ("above", 0) if is_path && !text.contains('|') => escaped(&format!("{text}/b")),
            _ => escaped(text),
        }
    }

    fn code(&mut self, system: Option<&str>, code: &str) -> String {
        let code = escaped(code);
        match (self.dice.below(5), system) {
            (0 | 1, Some(system)) => format!("{}|{code}", escaped(system)),
            (2, Some(system)) => format!("{}|", escaped(system)),
            (0..=2, None) => format!("|{code}"),
            _ => code,
        }
    }

    fn reference(&mut self, modifier: &str, text: &str) -> String {
        let id = text.rsplit('/').next().unwrap_or_default();
        let is_relative = !text.contains(':') && !text.contains("_history");
        match (modifier, self.dice.below(3)) {
            ("Patient", _) | (_, 0) if is_relative => id.to_owned(),
            ("Patient", _) => "r0".to_owned(),
            _ => escaped(text),
        }
    }
}

fn is_date(text: &str) -> bool {
    text.len() >= 4 && text.starts_with(|it: char| it.is_ascii_digit()) && !text.contains('.')
}

fn is_ordered(parameter: &Parameter) -> bool {
    let of = |it: &Facets| {
        matches!(
            it,
            Facets::Date(_) | Facets::Number(_) | Facets::Quantity(_) | Facets::Updated
        )
    };
    match &parameter.facets {
        Facets::Composite(components) => components.last().is_some_and(|it| of(&it.facets)),
        facets => of(facets),
    }
}

/// Whether a query of that cell can ask for the sample.
fn fits(cell: Cell, sample: &Sample) -> bool {
    match (cell.kind, cell.modifier) {
        (Kind::Token, "text" | "code-text" | "text-advanced") => {
            matches!(sample, Sample::Display(_))
        }
        (Kind::Token, "of-type") => matches!(sample, Sample::OfType(_)),
        (Kind::Token, _) => matches!(sample, Sample::Coded(..)),
        (Kind::Reference, "identifier") => matches!(sample, Sample::Logical(..)),
        (Kind::Reference, "Patient") => matches!(sample, Sample::Reference(_)),
        (Kind::Reference, _) => match sample {
            Sample::Reference(text) => !text.contains("_history"),
            other => matches!(other, Sample::Plain(_)),
        },
        (Kind::Uri, "above" | "below") => match sample {
            Sample::Plain(text) => text.starts_with("http"),
            _ => false,
        },
        (Kind::Uri, _) => matches!(sample, Sample::Plain(_)),
        _ => true,
    }
}

/// Percent-encoded, for a query.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b':' | b'/' => {
                encoded.push(char::from(byte));
            }
            _ => {
                encoded.push('%');
                write!(encoded, "{byte:02X}").unwrap();
            }
        }
    }
    encoded
}
