//! How one resource type is indexed: its parameters, their slots, and one program for all.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::rc::Rc;
use std::sync::{LazyLock, Mutex, OnceLock, PoisonError};

use fhir::definitions::{SearchParameter, SearchType, TypeDefinition};
use fhir::{Definitions, FhirVersion};

use super::added::added;
use super::{Component, Contained, Facets, OfType, Parameter, QuantitySlots, Slot, TokenSlots};
use crate::corrections::Corrections;
use crate::program::{Base, Compiler, Program, ProgramFault, Term, Way};
use crate::value::{Datatype, Kind, Sink};

/// How one resource type is indexed.
#[derive(Debug)]
pub(crate) struct Index {
    /// In order of their codes.
    pub(crate) parameters: Vec<Parameter>,
    /// In order of their names.
    pub(crate) slots: Vec<Slot>,
    pub(crate) program: Program,
    /// By slot: whether its references put a resource into the compartments of patients.
    pub(crate) lanes: Vec<bool>,
    /// The slot of the words of the narrative.
    pub(crate) narrative: Option<u16>,
    /// The slot of the words of all texts.
    pub(crate) content: Option<u16>,
    /// The slot of the resource's own names.
    pub(crate) names: Option<u16>,
    pub(crate) faults: Vec<(&'static str, ProgramFault)>,
    resource_type: &'static str,
    /// Made at first use.
    contained: OnceLock<Contained>,
}

/// The facet of the narrative's words, and where they are.
const NARRATIVE: (&str, &str) = ("narrative", "text");
/// The facet of all words, and where they are.
const CONTENT: (&str, &str) = ("content", "string | markdown | xhtml");
/// The facet of canonical URLs, by which resources refer and are referred to.
const NAME: &str = "canonical-name";

impl Index {
    pub(super) fn new(definitions: &'static Definitions, resource_type: &'static str) -> Self {
        let mut parameters = Vec::new();
        let mut faults = Vec::new();
        let mut builder = Builder::new(definitions, resource_type);
        let mut all = definitions.search_parameters_of(resource_type);
        all.extend(added());
        all.sort_by_key(|it| it.search_type != SearchType::Composite);
        for definition in all {
            let is_left_out = builder.corrections.not_indexed(definition.url).is_some();
            if definition.is_example || is_left_out {
                continue;
            }
            match builder.facets_of(definition) {
                Ok(facets) => parameters.push(Parameter { definition, facets }),
                Err(fault) => faults.push((definition.code, fault)),
            }
        }
        parameters.sort_by_key(|it| it.definition.code);
        builder.finish(parameters, faults)
    }

    /// The slots of the contained resources of the type.
    pub(crate) fn contained(&self) -> &Contained {
        let made = || Contained::new(self.resource_type, &self.slots);
        self.contained.get_or_init(made)
    }

    pub(super) fn names(&self) -> Option<Slot> {
        self.names.map(|it| self.slots[usize::from(it)])
    }
}

/// Whether resources of a type are published under a canonical URL. Others have a `url` too, at
/// which a device is reached. <https://hl7.org/fhir/R4/references.html#canonical>
fn is_published(definitions: &Definitions, resource_type: &str) -> bool {
    let resource = definitions.resource(resource_type);
    let has = |name| resource.is_some_and(|it| definitions.child(it.shape, name).is_some());
    has("url") && has("publisher")
}

/// Collects what is to be walked.
struct Builder {
    definitions: &'static Definitions,
    resource_type: &'static str,
    corrections: &'static Corrections,
    compiler: Option<Compiler>,
    slots: BTreeSet<Slot>,
    walks: Vec<Walked>,
    bases: Vec<(String, Vec<Way>)>,
    /// By what they lead to: the parts of composites. Other parameters that lead to the same share
    /// their slots, for which groups do not count; hence composites come first.
    parts: BTreeMap<Vec<String>, Rc<Part>>,
    /// The sinks that have their ways already: parameters that index the same share them.
    seen: HashSet<Sink<Slot>>,
}

/// A way to be walked for a sink.
struct Walked {
    /// Which base it begins at, and by which of its ways.
    below: Option<(usize, usize)>,
    way: Way,
    kind: Kind,
    sink: Sink<Slot>,
}

/// What lies in the groups of a base.
struct Part {
    text: String,
    base: usize,
    /// For each way of the base: what lies below it.
    below: Vec<Vec<Term>>,
}

/// Where the values of a parameter or a component are.
struct Source {
    /// What its slots are named after.
    text: String,
    base: Option<usize>,
    /// Each with the place of the base's way.
    ends: Vec<(usize, Way, Kind)>,
}

impl Builder {
    fn new(definitions: &'static Definitions, resource_type: &'static str) -> Self {
        let resource: Option<&'static TypeDefinition> = definitions.resource(resource_type);
        Self {
            definitions,
            resource_type,
            corrections: Corrections::of(definitions.version()),
            compiler: resource.map(|it| Compiler::new(definitions, it)),
            slots: BTreeSet::new(),
            walks: Vec::new(),
            bases: Vec::new(),
            parts: BTreeMap::new(),
            seen: HashSet::new(),
        }
    }

    fn facets_of(&mut self, definition: &SearchParameter) -> Result<Facets, ProgramFault> {
        match (definition.code, definition.usage) {
            ("_id", _) => return Ok(Facets::Id),
            ("_lastUpdated", _) => return Ok(Facets::Updated),
            ("_text", _) => return Ok(Facets::Words(self.slot(NARRATIVE.0, NARRATIVE.1))),
            ("_content", _) => return Ok(Facets::Words(self.slot(CONTENT.0, CONTENT.1))),
            (_, Some("distance")) => return Ok(Facets::Elsewhere),
            _ => {}
        }
        let Some(expression) = self.corrections.expression(definition) else {
            return Ok(Facets::Elsewhere);
        };
        let search_type = match definition.usage {
            Some("nearby") => SearchType::Special,
            _ => definition.search_type,
        };
        let terms = self.compile(|it| it.expression(expression))?;
        if search_type == SearchType::Composite {
            return self.composite(definition, &terms);
        }
        let source = match self.shared(search_type, &terms) {
            Some(source) => source,
            None => self.source(search_type, &terms)?,
        };
        if search_type == SearchType::Reference {
            return Ok(self.reference(definition, &source));
        }
        Ok(self.indexed(search_type, &source))
    }

    /// The part of a composite that leads to the same. Identifiers have groups of their own.
    fn shared(&self, search_type: SearchType, terms: &[Term]) -> Option<Source> {
        let part = self.parts.get(&sorted_texts(terms))?;
        let source = self.of_part(search_type, part).ok()?;
        let mut kinds = source.ends.iter().map(|it| it.2.datatype);
        kinds.all(|it| it != Datatype::Identifier).then_some(source)
    }

    fn compile<T>(
        &self,
        compile: impl FnOnce(&Compiler) -> Result<T, ProgramFault>,
    ) -> Result<T, ProgramFault> {
        let compiler = self.compiler.as_ref();
        compile(compiler.ok_or(ProgramFault::OtherType(self.resource_type))?)
    }

    fn source(&self, search_type: SearchType, terms: &[Term]) -> Result<Source, ProgramFault> {
        let ends = self.ends(search_type, terms)?;
        Ok(Source {
            text: text_of(terms),
            base: None,
            ends: ends.into_iter().map(|(way, kind)| (0, way, kind)).collect(),
        })
    }

    /// The ways to what a parameter of that type can index; each alternative has one.
    fn ends(
        &self,
        search_type: SearchType,
        terms: &[Term],
    ) -> Result<Vec<(Way, Kind)>, ProgramFault> {
        let version = self.definitions.version();
        let mut ends = Vec::new();
        for term in terms {
            let before = ends.len();
            let kinds = term
                .places
                .iter()
                .filter_map(|it| Some((it, it.kind(version)?)));
            let accepted = kinds.filter(|it| it.1.datatype.is_accepted_by(search_type));
            ends.extend(accepted.map(|(place, kind)| (place.way.clone(), kind)));
            if ends.len() == before {
                let types: Vec<_> = term.places.iter().map(|it| it.type_name).collect();
                return Err(ProgramFault::WrongTypes {
                    types: types.join(", "),
                    search_type: search_type.name(),
                });
            }
        }
        Ok(ends)
    }

    fn composite(
        &mut self,
        definition: &SearchParameter,
        bases: &[Term],
    ) -> Result<Facets, ProgramFault> {
        let is_whole = bases
            .iter()
            .all(|it| it.places.iter().all(|it| it.way.is_empty()));
        let mut components = Vec::new();
        for place in 0..definition.components.len() {
            let component = self.corrections.component(definition, place);
            let expression = component.expression;
            let found = self.definitions.search_parameter_at(component.definition);
            let definition = found.ok_or(ProgramFault::UnknownComponent(component.definition))?;
            let source = match bases {
                [base] if is_whole => self.part_of_resource(definition, base, expression)?,
                _ => {
                    let part = self.part(bases, expression)?;
                    self.of_part(definition.search_type, &part)?
                }
            };
            let facets = match definition.search_type {
                SearchType::Reference => self.reference(definition, &source),
                search_type => self.indexed(search_type, &source),
            };
            components.push(Component {
                definition,
                facets: without_of_type(facets),
            });
        }
        Ok(Facets::Composite(components))
    }

    /// What lies in the resource itself is the same as for a parameter that is no component.
    fn part_of_resource(
        &self,
        definition: &SearchParameter,
        base: &Term,
        expression: &str,
    ) -> Result<Source, ProgramFault> {
        let terms = self.compile(|it| it.below(expression, std::slice::from_ref(base)))?;
        let mut terms = terms.concat();
        for term in &mut terms {
            term.text = [&base.text, ".", &term.text].concat();
        }
        self.source(definition.search_type, &terms)
    }

    fn part(&mut self, bases: &[Term], expression: &str) -> Result<Rc<Part>, ProgramFault> {
        let terms = self.compile(|it| it.below(expression, bases))?;
        let expression = terms.first().map(|it| text_of(it)).unwrap_or_default();
        let text = format!("({}) / {expression}", text_of(bases));
        let places = bases.iter().flat_map(|it| &it.places);
        let ways = places.map(|it| it.way.clone()).collect();
        let mut whole = terms.clone();
        for (base, terms) in bases.iter().zip(&mut whole) {
            for term in terms {
                term.text = [&base.text, ".", &term.text].concat();
            }
        }
        let below = bases.iter().zip(terms);
        let below = below.flat_map(|(base, terms)| vec![terms; base.places.len()]);
        let part = Rc::new(Part {
            text,
            base: self.base(text_of(bases), ways),
            below: below.collect(),
        });
        let key = sorted_texts(&whole.concat());
        Ok(Rc::clone(self.parts.entry(key).or_insert(part)))
    }

    fn of_part(&self, search_type: SearchType, part: &Part) -> Result<Source, ProgramFault> {
        let mut ends = Vec::new();
        for (place, terms) in part.below.iter().enumerate() {
            let found = self.ends(search_type, terms)?;
            ends.extend(found.into_iter().map(|(way, kind)| (place, way, kind)));
        }
        Ok(Source {
            text: part.text.clone(),
            base: Some(part.base),
            ends,
        })
    }

    fn base(&mut self, text: String, ways: Vec<Way>) -> usize {
        let known = self.bases.iter().position(|it| it.0 == text);
        known.unwrap_or_else(|| {
            self.bases.push((text, ways));
            self.bases.len() - 1
        })
    }

    /// The slots of a source.
    fn indexed(&mut self, search_type: SearchType, source: &Source) -> Facets {
        let text = &source.text;
        match search_type {
            SearchType::String => {
                let slot = self.slot("string", text);
                self.walk(source, Sink::String(slot));
                Facets::String(slot)
            }
            SearchType::Token => Facets::Token(self.token(source)),
            SearchType::Uri => {
                let slot = self.slot("uri", text);
                self.walk(source, Sink::Uri(slot));
                Facets::Uri(slot)
            }
            SearchType::Date => {
                let slot = self.slot("date", text);
                self.walk(source, Sink::Date(slot));
                Facets::Date(slot)
            }
            SearchType::Number => {
                let slot = self.slot("number", text);
                self.walk(source, Sink::Number(slot));
                Facets::Number(slot)
            }
            SearchType::Quantity => Facets::Quantity(self.quantity(source)),
            SearchType::Special => {
                let slot = self.slot("place", text);
                self.walk(source, Sink::Place(slot));
                Facets::Place(slot)
            }
            SearchType::Reference | SearchType::Composite => Facets::Elsewhere,
        }
    }

    fn reference(&mut self, definition: &SearchParameter, source: &Source) -> Facets {
        let text = &source.text;
        let has =
            |wanted: &[Datatype]| source.ends.iter().any(|it| wanted.contains(&it.2.datatype));
        let has_canonical = has(&[Datatype::Canonical, Datatype::Uri]);
        let has_references = has(&[Datatype::Reference]);
        let facet = if has_canonical {
            "canonical"
        } else {
            "reference"
        };
        let literal = self.slot(facet, text);
        let identifier = has_references.then(|| self.slot("reference-identifier", text));
        let is_held = has(&[Datatype::Resource]);
        let inside = self.slot(if is_held { "held" } else { INSIDE }, text);
        self.walk(
            source,
            Sink::Reference {
                literal,
                identifier,
                inside,
            },
        );
        let may_name = has_canonical || has_references && self.may_name(definition);
        let names = may_name.then(|| self.slot(NAME, text));
        if let Some(slot) = names {
            self.walk(source, Sink::Name(slot));
        }
        Facets::Reference {
            literal,
            identifier,
            names,
            inside,
            is_held,
        }
    }

    /// STU3 has no datatype of canonical URLs: what is published is named in a Reference.
    fn may_name(&self, definition: &SearchParameter) -> bool {
        let targets = definition.targets;
        let mut targets = targets.iter();
        self.definitions.version() == FhirVersion::Stu3
            && (definition.targets.is_empty()
                || targets.any(|it| is_published(self.definitions, it)))
    }

    fn token(&mut self, source: &Source) -> TokenSlots {
        let code = self.slot("token", &source.text);
        let text = self.slot("token-text", &source.text);
        self.walk(source, Sink::Token { code, text });
        let is_identifier = |it: &(usize, Way, Kind)| it.2.datatype == Datatype::Identifier;
        let has_identifiers = source.base.is_none() && source.ends.iter().any(is_identifier);
        let of_type = has_identifiers.then(|| {
            let kind = self.slot("identifier-type", &source.text);
            let value = self.slot("identifier-value", &source.text);
            self.walk(source, Sink::OfType { kind, value });
            OfType { kind, value }
        });
        TokenSlots {
            code,
            text,
            of_type,
        }
    }

    fn quantity(&mut self, source: &Source) -> QuantitySlots {
        let slots = QuantitySlots {
            canonical: self.slot("quantity", &source.text),
            coded: self.slot("quantity-code", &source.text),
            written: self.slot("quantity-written", &source.text),
        };
        let QuantitySlots {
            canonical,
            coded,
            written,
        } = slots;
        self.walk(
            source,
            Sink::Quantity {
                canonical,
                coded,
                written,
            },
        );
        slots
    }

    fn slot(&mut self, facet: &str, source: &str) -> Slot {
        let slot = named(facet, source);
        self.slots.insert(slot);
        slot
    }

    fn walk(&mut self, source: &Source, sink: Sink<Slot>) {
        if !self.seen.insert(sink) {
            return;
        }
        for (place, way, kind) in &source.ends {
            self.walks.push(Walked {
                below: source.base.map(|base| (base, *place)),
                way: way.clone(),
                kind: *kind,
                sink,
            });
        }
    }

    fn finish(
        mut self,
        parameters: Vec<Parameter>,
        faults: Vec<(&'static str, ProgramFault)>,
    ) -> Index {
        let kind = self.resource_type;
        let own = format!("{kind}.url | {kind}.version");
        let names = is_published(self.definitions, kind).then(|| self.slot(NAME, &own));
        let slots: Vec<Slot> = self.slots.into_iter().collect();
        let number = |slot: Slot| {
            let place = slots.binary_search(&slot).unwrap_or_default();
            u16::try_from(place).expect("a type has some hundred slots")
        };
        let mut program = Program::default();
        let bases: Vec<Base> = self.bases.iter().map(|it| program.base(&it.1)).collect();
        for it in &self.walks {
            let sink = it.sink.map(number);
            match it.below {
                None => program.add(&it.way, it.kind, sink),
                Some((base, place)) => {
                    let base_way = &self.bases[base].1[place];
                    program.add_below(bases[base], base_way, &it.way, it.kind, sink);
                }
            }
        }
        let words = |(facet, source)| {
            let slot = named(facet, source);
            slots.binary_search(&slot).ok().map(|_| number(slot))
        };
        Index {
            lanes: lanes(self.definitions, self.resource_type, &parameters, &slots),
            narrative: words(NARRATIVE),
            content: words(CONTENT),
            names: names.map(number),
            program,
            parameters,
            slots,
            faults,
            resource_type: kind,
            contained: OnceLock::new(),
        }
    }
}

/// By slot: whether a parameter of the patient compartment has its references there.
fn lanes(
    definitions: &Definitions,
    resource_type: &str,
    parameters: &[Parameter],
    slots: &[Slot],
) -> Vec<bool> {
    let patient = definitions.compartment("Patient");
    let codes = patient.map_or(&[][..], |it| it.parameters(resource_type));
    let of_lane = |it: &Parameter| match it.facets {
        Facets::Reference { literal, .. } => codes.contains(&it.definition.code).then_some(literal),
        _ => None,
    };
    let lanes: Vec<Slot> = parameters.iter().filter_map(of_lane).collect();
    slots.iter().map(|it| lanes.contains(it)).collect()
}

/// Types of identifiers are not compared within a composite.
fn without_of_type(facets: Facets) -> Facets {
    match facets {
        Facets::Token(slots) => Facets::Token(TokenSlots {
            of_type: None,
            ..slots
        }),
        other => other,
    }
}

fn sorted_texts(terms: &[Term]) -> Vec<String> {
    let mut texts: Vec<String> = terms.iter().map(|it| it.text.clone()).collect();
    texts.sort_unstable();
    texts
}

fn text_of(terms: &[Term]) -> String {
    let texts: Vec<&str> = terms.iter().map(|it| it.text.as_str()).collect();
    texts.join(" | ")
}

/// Whether a slot holds the words of a narrative, or of all texts.
/// The facet of what refers to something inside of the resource.
pub(super) const INSIDE: &str = "inside";

pub(super) fn is_of_words(slot: Slot) -> bool {
    [NARRATIVE, CONTENT]
        .iter()
        .any(|it| named(it.0, it.1) == slot)
}

/// The slot of that name; names live as long as the program, each once.
pub(super) fn named(facet: &str, source: &str) -> Slot {
    static NAMES: LazyLock<Mutex<HashSet<&'static str>>> = LazyLock::new(Mutex::default);
    let name = [facet, " ", source].concat();
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(known) = names.get(name.as_str()) {
        return Slot(known);
    }
    let name: &'static str = Box::leak(name.into_boxed_str());
    names.insert(name);
    Slot(name)
}
