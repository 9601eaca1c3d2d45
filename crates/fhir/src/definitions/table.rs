//! The form of the definition tables: their files, their columns and how a row is spelled.
//!
//! The one description of the format: `cargo xtask codegen` writes with it, the reader beside it
//! reads with it. A table is text: a line of column names, then one line per row, cells separated
//! by tabs. An empty cell is an absent fact. A cell with several values separates them by
//! [`LIST`]. No cell holds a tab or a line break, so nothing is ever escaped.

/// Separates the values of a cell that lists several.
pub const LIST: char = '|';

/// Separates the targets of a type, which itself is one value of a list.
pub const TARGETS: char = ',';

/// A table of `N` columns.
#[derive(Debug, Clone, Copy)]
pub struct Table<const N: usize> {
    /// Its file below `data/<version>/`.
    pub file: &'static str,
    /// The names of its columns, in order.
    pub columns: [&'static str; N],
}

impl<const N: usize> Table<N> {
    /// The first line of the file, without the line break.
    pub fn header(&self) -> String {
        self.columns.join("\t")
    }

    /// The rows of the table's text, as slices of it.
    pub fn rows<'t>(&self, text: &'t str) -> impl Iterator<Item = [&'t str; N]> + use<'t, N> {
        text.lines().skip(1).map(|line| {
            let mut rest = line;
            std::array::from_fn(|_| next_cell(&mut rest))
        })
    }
}

/// Takes the first cell off a row. Most cells are shorter than ten bytes, where a plain loop
/// takes half the time of `str::split`.
fn next_cell<'t>(rest: &mut &'t str) -> &'t str {
    let Some(at) = rest.bytes().position(|byte| byte == b'\t') else {
        return std::mem::take(rest);
    };
    let cell = &rest[..at];
    *rest = &rest[at + 1..];
    cell
}

/// The values of a cell; none for an empty one.
pub fn list(cell: &str) -> impl Iterator<Item = &str> {
    cell.split(LIST).filter(|value| !value.is_empty())
}

/// Types by name: `kind` is `primitive`, `complex` or `resource`; `abstract` is `abstract` or
/// empty; the last four are facts of a primitive's value.
pub const TYPES: Table<8> = Table {
    file: "types.tsv",
    columns: [
        "name",
        "kind",
        "abstract",
        "base",
        "pattern",
        "length-max",
        "value-min",
        "value-max",
    ],
};

/// Elements, in the order of [`TYPES`], of each type first its own children, then those of its
/// backbone elements; among siblings in the order of the definition. The value of a primitive is
/// left out. `types` lists types as `Name` or, with their [`TARGETS`], as `Name(Target,Target)`; a
/// content reference has the type of its target, whose path is in `content-reference`. `flags` are
/// those below.
pub const ELEMENTS: Table<9> = Table {
    file: "elements.tsv",
    columns: [
        "path",
        "min",
        "max",
        "types",
        "flags",
        "strength",
        "value-set",
        "value-set-max",
        "content-reference",
    ],
};

/// Flag of an element: part of `_summary=true`.
pub const SUMMARY: char = 'S';
/// Flag of an element: modifies the meaning of what holds it.
pub const MODIFIER: char = 'M';
/// Flag of an element: an attribute in XML.
pub const ATTRIBUTE: char = 'A';

/// The codes of the value sets of required bindings, one row per value set and code system; rows
/// and codes ascend by bytes.
pub const CODES: Table<3> = Table {
    file: "codes.tsv",
    columns: ["value-set", "system", "codes"],
};

/// The value sets that must be kept to but cannot be enumerated. `grammar` names the one that
/// its codes can be checked with, if any.
pub const OPEN_VALUE_SETS: Table<3> = Table {
    file: "open-value-sets.tsv",
    columns: ["value-set", "grammar", "reason"],
};

/// Search parameters by URL and id. `status` is `example` for those that the publication only
/// shows how to write, `experimental`, or empty. `multiple-or` is `true`, `false` or empty.
pub const SEARCH_PARAMETERS: Table<14> = Table {
    file: "search-parameters.tsv",
    columns: [
        "url",
        "id",
        "code",
        "name",
        "base",
        "type",
        "expression",
        "targets",
        "comparators",
        "modifiers",
        "chains",
        "multiple-or",
        "usage",
        "status",
    ],
};

/// The components of composite parameters, in order.
pub const SEARCH_COMPONENTS: Table<3> = Table {
    file: "search-components.tsv",
    columns: ["parameter", "definition", "expression"],
};

/// What links a resource type to a compartment; types that are never in it have no row.
pub const COMPARTMENTS: Table<3> = Table {
    file: "compartments.tsv",
    columns: ["compartment", "resource", "parameters"],
};

/// Operations by URL. `levels` lists `system`, `type`, `instance`; `affects-state` is `true`,
/// `false` or empty; `status` is `example` or empty.
pub const OPERATIONS: Table<7> = Table {
    file: "operations.tsv",
    columns: [
        "url",
        "name",
        "code",
        "resources",
        "levels",
        "affects-state",
        "status",
    ],
};

/// The parameters of operations in order; a part's name has its parent's before a dot.
pub const OPERATION_PARAMETERS: Table<7> = Table {
    file: "operation-parameters.tsv",
    columns: [
        "operation",
        "name",
        "use",
        "min",
        "max",
        "type",
        "search-type",
    ],
};

/// Code systems by URL. `content` and `hierarchy` are the codes of `CodeSystem.content` and
/// `CodeSystem.hierarchyMeaning`; `value-set` is the URL that means all codes, where no row of
/// [`VALUE_SETS`] has it; `properties` lists the declared ones; `concepts` counts the rows of
/// [`CONCEPTS`] that are this system's.
pub const CODE_SYSTEMS: Table<7> = Table {
    file: "code-systems.tsv",
    columns: [
        "url",
        "version",
        "content",
        "hierarchy",
        "value-set",
        "properties",
        "concepts",
    ],
};

/// The concepts of all code systems, in the order of [`CODE_SYSTEMS`], of each in the order of its
/// definition. `level` is the depth of nesting: a concept's parent is the nearest one above it whose
/// level is less. A display that equals the code is left empty. `properties` lists `name=value`.
pub const CONCEPTS: Table<4> = Table {
    file: "concepts.tsv",
    columns: ["level", "code", "display", "properties"],
};

/// The parts that value sets are composed of, by URL; of each in the order of its definition. `use`
/// is `include` or `exclude`; a part has `concepts`, or one filter, or neither.
pub const VALUE_SETS: Table<10> = Table {
    file: "value-sets.tsv",
    columns: [
        "url",
        "version",
        "use",
        "system",
        "system-version",
        "value-sets",
        "concepts",
        "property",
        "op",
        "value",
    ],
};

/// Official expansions of value sets that need what no package contains, in the form of [`CODES`];
/// what stands there is not repeated.
pub const EXPANSIONS: Table<3> = Table {
    file: "expansions.tsv",
    columns: ["value-set", "system", "codes"],
};

/// The file beside the tables that says where they are from.
pub const SOURCE: &str = "SOURCE.md";

/// How the line of [`SOURCE`] begins that holds the fingerprint of all tables together.
pub const FINGERPRINT: &str = "Fingerprint: ";
