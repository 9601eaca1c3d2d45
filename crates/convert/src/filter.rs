//! Filters: DotLiquid's own and Microsoft's, all in one table. A filter of another name passes its
//! input through.

#![expect(
    clippy::unnecessary_wraps,
    reason = "every filter has the type that the table's rows have"
)]

mod ccda;
mod codes;
mod collections;
mod date;
mod encoding;
mod hl7v2;
mod list;
mod moment;
mod narrative;
mod number;
pub(crate) mod regex;
mod resources;
pub(crate) mod strict;
mod text;
mod text_parts;
pub(crate) mod types;

use crate::error::{ConvertError, ErrorKind, Result};
use crate::render::Renderer;
use crate::value::Value;

/// What runs a filter: the renderer, the input, the arguments that are there.
type Run = for<'r, 'a> fn(&'r mut Renderer<'a>, Value<'a>, &[Value<'a>]) -> Result<Value<'a>>;

/// A filter.
pub(crate) struct Filter {
    name: &'static str,
    /// How many arguments it takes at least and at most.
    arguments: (usize, usize),
    run: Run,
    takes: Takes,
}

/// What a filter gets where a strict library gives it an element of an input.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Takes {
    /// Its text.
    Texts,
    /// An element of a document itself, as a list of one; of a message its text.
    Lists,
    /// The element itself.
    Elements,
}

impl Filter {
    /// Runs it; a wrong number of arguments is an error.
    pub(crate) fn run<'a>(
        &self,
        renderer: &mut Renderer<'a>,
        input: Value<'a>,
        arguments: &[Value<'a>],
    ) -> Result<Value<'a>> {
        if !self.accepts(arguments.len()) {
            return Err(rendering(self.fault(arguments.len())));
        }
        (self.run)(renderer, input, arguments)
    }

    /// What it gets where a strict library gives it an element.
    pub(crate) fn takes(&self) -> Takes {
        self.takes
    }

    /// Whether it takes so many arguments.
    pub(crate) fn accepts(&self, count: usize) -> bool {
        (self.arguments.0..=self.arguments.1).contains(&count)
    }

    /// What to say of a wrong number of arguments.
    pub(crate) fn fault(&self, count: usize) -> String {
        let (name, (least, most)) = (self.name, self.arguments);
        let taken = match (least, most) {
            (0, 0) => "no argument".to_owned(),
            (1, 1) => "1 argument".to_owned(),
            _ if least == most => format!("{least} arguments"),
            _ => format!("{least} to {most} arguments"),
        };
        format!("the filter `{name}` takes {taken}, not {count}")
    }
}

/// The filter of that name.
pub(crate) fn find(name: &str) -> Option<&'static Filter> {
    let at = FILTERS.binary_search_by(|it| it.name.cmp(name)).ok()?;
    Some(&FILTERS[at])
}

/// The names of all filters.
pub fn names() -> impl Iterator<Item = &'static str> {
    FILTERS.iter().map(|it| it.name)
}

/// Whether it renders a template for every element of a list.
pub(crate) fn is_batch(filter: &Filter) -> bool {
    matches!(filter.name, "batch_render" | "batch_render_parallel")
}

/// The minutes east of UTC that `Z` or `±hhmm` mean.
pub(crate) fn offset(zone: &str) -> Option<i64> {
    let mut rest = zone.trim();
    moment::offset(&mut rest).filter(|_| rest.is_empty())
}

fn rendering(what: impl Into<String>) -> ConvertError {
    ConvertError::new(ErrorKind::Rendering, what)
}

/// The n-th argument, null if it is not there.
fn argument<'a>(arguments: &[Value<'a>], at: usize) -> Value<'a> {
    arguments.get(at).copied().unwrap_or(Value::Null)
}

const fn row(name: &'static str, least: usize, most: usize, run: Run) -> Filter {
    Filter {
        name,
        arguments: (least, most),
        run,
        takes: Takes::Texts,
    }
}

/// Every filter, in the order of names.
static FILTERS: &[Filter] = &[
    row("abs", 0, 0, number::abs),
    row("add_hyphens_date", 0, 1, date::add_hyphens_date),
    row("add_seconds", 1, 2, date::add_seconds),
    row("append", 1, 1, text::append),
    row("at_least", 1, 1, number::at_least),
    row("at_most", 1, 1, number::at_most),
    row("base64_decode", 0, 0, encoding::base64_decode),
    row("base64_encode", 0, 0, encoding::base64_encode),
    row("batch_render", 2, 3, collections::batch_render),
    row("batch_render_parallel", 2, 3, collections::batch_render),
    row("capitalize", 0, 0, text::capitalize),
    row("ceil", 0, 0, number::ceil),
    row("char_at", 1, 1, text_parts::char_at),
    row("compact", 0, 0, list::compact),
    row("concat", 1, 1, list::concat),
    row("contains", 1, 1, text_parts::contains),
    row("currency", 0, 1, number::currency),
    row("date", 1, 1, date::date),
    row("default", 1, 1, collections::default),
    row("divide", 1, 1, number::divide),
    row("divided_by", 1, 1, number::divided_by),
    row("downcase", 0, 0, text::downcase),
    row("escape", 0, 0, text::escape),
    row("escape_once", 0, 0, text::escape_once),
    row("escape_special_chars", 0, 0, encoding::escape_special_chars),
    row("evaluate", 1, 1, collections::evaluate),
    row("first", 0, 0, list::first),
    row("floor", 0, 0, number::floor),
    row("format_as_date_time", 0, 1, date::format_as_date_time),
    row(
        "format_as_hl7v2_date_time",
        0,
        1,
        date::format_as_hl7v2_date_time,
    ),
    row("generate_id_input", 2, 3, codes::generate_id_input),
    row("generate_uuid", 0, 0, codes::generate_uuid),
    row("get_ccda_section_lists", 1, 1, ccda::get_ccda_section_lists),
    row(
        "get_first_ccda_sections",
        1,
        1,
        ccda::get_first_ccda_sections,
    ),
    row(
        "get_first_ccda_sections_by_template_id",
        1,
        1,
        ccda::get_first_ccda_sections_by_template_id,
    ),
    row("get_first_segments", 1, 1, hl7v2::get_first_segments),
    row("get_object", 1, 1, collections::get_object),
    row("get_parent_segment", 3, 3, hl7v2::get_parent_segment),
    row("get_property", 1, 2, codes::get_property),
    row(
        "get_related_segment_list",
        2,
        2,
        hl7v2::get_related_segment_list,
    ),
    row("get_segment_lists", 1, 1, hl7v2::get_segment_lists),
    row("gunzip_base64_string", 0, 0, encoding::gunzip_base64_string),
    row("gzip", 0, 0, encoding::gzip),
    row("h", 0, 0, text::escape),
    row("has_segments", 1, 1, hl7v2::has_segments),
    row("is_nan", 0, 0, number::is_nan),
    row("join", 0, 1, list::join),
    row("last", 0, 0, list::last),
    row("lstrip", 0, 0, text::lstrip),
    row("map", 1, 1, list::map),
    row("match", 1, 1, text_parts::matched),
    row("minus", 1, 1, number::minus),
    row("modulo", 1, 1, number::modulo),
    row("multiply", 1, 1, number::multiply),
    row("newline_to_br", 0, 0, text::newline_to_br),
    row("now", 0, 1, date::now),
    row("plus", 1, 1, number::plus),
    row("pow", 1, 1, number::pow),
    row("prepend", 1, 1, text::prepend),
    row("random", 0, 1, number::random),
    row("remove", 1, 1, text_parts::remove),
    row("remove_first", 1, 1, text_parts::remove_first),
    row("replace", 1, 2, text_parts::replace),
    row("replace_first", 1, 2, text_parts::replace_first),
    row("reverse", 0, 0, list::reverse),
    row("round", 0, 1, number::round),
    row("rstrip", 0, 0, text::rstrip),
    row("sha1_hash", 0, 0, encoding::sha1_hash),
    row("sign", 0, 0, number::sign),
    row("size", 0, 0, list::size),
    row("slice", 1, 2, text_parts::slice),
    row("sort", 0, 1, list::sort),
    row("sort_natural", 0, 1, list::sort),
    row("split", 1, 1, text_parts::split),
    row(
        "split_data_by_segments",
        1,
        1,
        hl7v2::split_data_by_segments,
    ),
    row("strip", 0, 0, text::strip),
    row("strip_html", 0, 0, text::strip_html),
    row("strip_newlines", 0, 0, text::strip_newlines),
    row("sum", 0, 1, list::sum),
    row("times", 1, 1, number::times),
    row("to_array", 0, 0, collections::to_array),
    row("to_double", 0, 0, number::to_double),
    row("to_json_string", 0, 0, collections::to_json_string),
    row("truncate", 0, 2, text::truncate),
    row("truncate_number", 0, 0, number::truncate_number),
    row("truncate_words", 0, 2, text::truncate_words),
    row("truncatewords", 0, 2, text::truncate_words),
    row(
        "unescape_special_chars",
        0,
        0,
        encoding::unescape_special_chars,
    ),
    row("uniq", 0, 0, list::uniq),
    row("upcase", 0, 0, text::upcase),
    row("url_decode", 0, 0, encoding::url_decode),
    row("url_encode", 0, 0, encoding::url_encode),
    row("where", 1, 2, list::where_),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_is_in_order() {
        assert!(FILTERS.is_sorted_by(|one, other| one.name < other.name));
        assert!(names().all(|name| find(name).is_some_and(|it| it.name == name)));
    }
}
