//! Choices that look random and are the same for the same seed.

/// Numbers by splitmix64.
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    pub(super) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % end.max(1) as u64).unwrap()
    }

    /// True so many times of a hundred.
    pub(super) fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn of<'t, T>(&mut self, all: &'t [T]) -> &'t T {
        &all[self.below(all.len())]
    }

    /// One of the words, with a number in place of each `#`.
    pub(super) fn text(&mut self, all: &[&str]) -> String {
        let text = *self.of(all);
        let digit = |it: char| match it {
            '#' => self.below(4).to_string(),
            other => other.to_string(),
        };
        text.chars().map(digit).collect()
    }
}

/// Criteria that a type can be restricted to and searched by; `#` stands for a digit below four.
pub(super) const CRITERIA: &[(&str, &[&str])] = &[
    (
        "Organization",
        &[
            "name=org#",
            "name:missing=true",
            "partof.name=org#",
            "identifier=#",
        ],
    ),
    (
        "Practitioner",
        &[
            "family=fam#",
            "active=true",
            "_has:Patient:general-practitioner:gender=male",
        ],
    ),
    (
        "Patient",
        &[
            "family=fam#",
            "family:exact=Fam#",
            "gender=female",
            "gender:not=male",
            "active=true",
            "birthdate=lt198#-06",
            "birthdate=198#",
            "identifier=http://s|#",
            "identifier:missing=true",
            "general-practitioner:Practitioner.family=fam#",
            "organization.name=org#",
            "organization.partof.name=org#",
            "_has:Observation:patient:code=c#",
            "_has:Condition:subject:code=c#",
            "_has:Observation:subject:encounter.status=finished",
            "_id=p0,p2,p3,p5",
        ],
    ),
    (
        "Encounter",
        &[
            "status=finished",
            "subject:Patient.family=fam#",
            "patient.gender=male",
            "class=c#",
            "_has:Observation:encounter:code=c#",
        ],
    ),
    (
        "Observation",
        &[
            "code=http://s|c#",
            "code:not=c#",
            "status=final",
            "value-quantity=gt5",
            "value-quantity=lt3||kg",
            "component-code-value-quantity=c#$gt4",
            "date=ge202#",
            "subject:Patient.family=fam#",
            "patient.general-practitioner:Practitioner.family=fam#",
            "subject:Patient._has:Condition:subject:code=c#",
            "encounter.status=finished",
            "performer:Practitioner.active=true",
            "subject=Patient/p#",
        ],
    ),
    (
        "Condition",
        &[
            "code=c#",
            "subject:Patient.gender=male",
            "code:missing=false",
        ],
    ),
    (
        "List",
        &[
            "status=current",
            "item=Patient/p#",
            "item:Patient.family=fam#",
        ],
    ),
    ("ValueSet", &["url=http://vs/#", "status=active"]),
    (
        "Basic",
        &[
            "code=c#",
            "subject:Patient.family=fam#",
            "subject=Patient/p#",
        ],
    ),
    (
        "Questionnaire",
        &[
            "url=http://q/#",
            "status=active",
            "_has:QuestionnaireResponse:questionnaire:status=completed",
        ],
    ),
    (
        "QuestionnaireResponse",
        &[
            "status=completed",
            "questionnaire.status=active",
            "questionnaire=http://q/#",
        ],
    ),
];

/// What only questions ask: results of lookups, and what depends on other resources' absence.
pub(super) const LOOKUPS: &[(&str, &[&str])] = &[
    (
        "Organization",
        &[
            "partof:below=Organization/o#",
            "_not-referenced=Patient:organization",
        ],
    ),
    ("Practitioner", &["_not-referenced=*:*", "_list=l#"]),
    (
        "Patient",
        &[
            "_not-referenced=Observation:subject",
            "_not-referenced=*:*",
            "_list=l#",
            "_has:List:item:_id=l#",
            "_has:Observation:patient:_has:Basic:subject:code=c#",
            "_lastUpdated=gt2030-01-01T00:00:#0Z",
        ],
    ),
    ("Encounter", &["_not-referenced=Observation:encounter"]),
    (
        "Observation",
        &[
            "code:in=http://vs/#",
            "code:not-in=http://vs/#",
            "code:in=ValueSet/v#",
            "_list=l#",
        ],
    ),
    (
        "Condition",
        &["code:in=http://vs/#", "_lastUpdated=lt2030-01-01T00:00:50Z"],
    ),
    ("List", &["item.code=c#"]),
    ("ValueSet", &["_id=v#"]),
    (
        "Basic",
        &["subject:Observation.code=c#", "_not-referenced=*:*"],
    ),
    (
        "Questionnaire",
        &["_not-referenced=QuestionnaireResponse:questionnaire"],
    ),
    (
        "QuestionnaireResponse",
        &["patient._has:Observation:subject:code=c#"],
    ),
];

/// What contained resources are asked, of the types that are contained.
pub(super) const CONTAINED: &[(&str, &[&str])] = &[
    (
        "Practitioner",
        &["family=fam#", "active=true", "_id=k", "active:missing=true"],
    ),
    (
        "Patient",
        &[
            "family=fam#",
            "gender:not=male",
            "general-practitioner:Practitioner.family=fam#",
            "organization.partof.name=org#",
            "_id:not=s",
            "_lastUpdated=gt2030-01-01T00:00:#0Z",
        ],
    ),
];

/// What is asked of several types at once, or of a compartment.
pub(super) const COMMON: &[&str] = &[
    "_list=l#",
    "_list=l#,l#",
    "_not-referenced=*:*",
    "_not-referenced=List:item",
    "_id=p#,b#,d#,x#",
    "_id:not=p#",
    "_lastUpdated=ge2030-01-01T00:00:#0Z",
    "_content=fam#,org#",
    "_has:List:item:status=current",
    "_has:List:item:_id=l#",
];

/// Orders of results.
pub(super) const SORTS: &[(&str, &[&str])] = &[
    ("Organization", &["name", "-_lastUpdated"]),
    ("Practitioner", &["-family,_id"]),
    (
        "Patient",
        &[
            "family,-birthdate",
            "-_id",
            "general-practitioner",
            "gender,_lastUpdated",
        ],
    ),
    ("Encounter", &["status,_id"]),
    (
        "Observation",
        &["code,-date", "value-quantity", "-subject", "_lastUpdated"],
    ),
    ("Condition", &["subject"]),
    ("List", &["_id"]),
    ("ValueSet", &["-url"]),
    ("Basic", &["code,subject"]),
    ("Questionnaire", &["url"]),
    ("QuestionnaireResponse", &["-status"]),
];

/// What is given besides the matches.
pub(super) const INCLUDES: &[(&str, &[&str])] = &[
    (
        "Organization",
        &[
            "_include:iterate=Organization:partof",
            "_revinclude=Patient:organization",
        ],
    ),
    (
        "Practitioner",
        &["_revinclude=Patient:general-practitioner"],
    ),
    (
        "Patient",
        &[
            "_include=Patient:general-practitioner",
            "_include=Patient:organization&_include:iterate=Organization:partof",
            "_revinclude=Observation:subject&_revinclude:iterate=Basic:subject",
            "_revinclude=List:item",
        ],
    ),
    (
        "Encounter",
        &["_include=*", "_revinclude=Observation:encounter"],
    ),
    (
        "Observation",
        &[
            "_include=Observation:subject&_include:iterate=Patient:general-practitioner",
            "_include=*",
            "_include=Observation:encounter",
        ],
    ),
    ("Condition", &["_include=Condition:subject"]),
    ("List", &["_include=List:item"]),
    ("ValueSet", &["_count=3"]),
    (
        "Basic",
        &["_include=Basic:subject&_include:iterate=Observation:subject"],
    ),
    (
        "Questionnaire",
        &["_revinclude=QuestionnaireResponse:questionnaire"],
    ),
    (
        "QuestionnaireResponse",
        &["_include=QuestionnaireResponse:questionnaire", "_include=*"],
    ),
];

/// The words for a type.
pub(super) fn words_of<'w>(table: &'w [(&str, &'w [&'w str])], kind: &str) -> &'w [&'w str] {
    table.iter().find(|it| it.0 == kind).unwrap().1
}
