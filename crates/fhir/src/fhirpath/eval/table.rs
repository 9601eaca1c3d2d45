//! The table of all functions: name, arguments, input, output, implementation.

use super::super::function::{Function, Gives, Input};
use super::super::item::{Collection, Item};
use super::super::types::SystemType;
use super::{
    Call, Outcome, boundary, collection, convert, encoding, factory, fhir, filter, logic, math,
    order, pattern, quantity, reference, string, tree, type_tests, variable,
};
use crate::decimal::Decimal;

type Run = for<'c, 'd> fn(&Call<'c, 'd>, Collection<'d>) -> Outcome<'d>;

const fn row(
    name: &'static str,
    (arguments_min, arguments_max): (usize, usize),
    (input, gives): (Input, Gives),
    run: Run,
) -> Function {
    Function {
        name,
        arguments_min,
        arguments_max,
        input,
        gives,
        run,
    }
}

const ANY_NUMBER: usize = usize::MAX;
const BOOLEAN: (Input, Gives) = (Input::Any, Gives::System(SystemType::Boolean));
const INTEGER: (Input, Gives) = (Input::Any, Gives::System(SystemType::Integer));
const LONG: (Input, Gives) = (Input::Any, Gives::System(SystemType::Long));
const DECIMAL: (Input, Gives) = (Input::Any, Gives::System(SystemType::Decimal));
const STRING: (Input, Gives) = (Input::Any, Gives::System(SystemType::String));
const DATE: (Input, Gives) = (Input::Any, Gives::System(SystemType::Date));
const DATE_TIME: (Input, Gives) = (Input::Any, Gives::System(SystemType::DateTime));
const TIME: (Input, Gives) = (Input::Any, Gives::System(SystemType::Time));
const QUANTITY: (Input, Gives) = (Input::Any, Gives::System(SystemType::Quantity));
const TEXT_TO_TEXT: (Input, Gives) = (Input::Text, Gives::System(SystemType::String));
const TEXT_TO_BOOLEAN: (Input, Gives) = (Input::Text, Gives::System(SystemType::Boolean));
const TEXT_TO_INTEGER: (Input, Gives) = (Input::Text, Gives::System(SystemType::Integer));
const NUMBER: (Input, Gives) = (Input::Number, Gives::Unknown);
const NUMBER_TO_DECIMAL: (Input, Gives) = (Input::Number, Gives::System(SystemType::Decimal));
const SAME: (Input, Gives) = (Input::Any, Gives::Input);
const ORDERED: (Input, Gives) = (Input::Ordered, Gives::Input);
const UNKNOWN: (Input, Gives) = (Input::Any, Gives::Unknown);

/// All functions, grouped as the standard groups them.
pub static FUNCTIONS: &[Function] = &[
    // Existence.
    row("empty", (0, 0), BOOLEAN, filter::empty),
    row("exists", (0, 1), BOOLEAN, filter::exists),
    row("all", (1, 1), BOOLEAN, filter::all),
    row("allTrue", (0, 0), BOOLEAN, logic::all_true),
    row("anyTrue", (0, 0), BOOLEAN, logic::any_true),
    row("allFalse", (0, 0), BOOLEAN, logic::all_false),
    row("anyFalse", (0, 0), BOOLEAN, logic::any_false),
    row("subsetOf", (1, 1), BOOLEAN, collection::subset_of),
    row("supersetOf", (1, 1), BOOLEAN, collection::superset_of),
    row("count", (0, 0), INTEGER, filter::count),
    row("distinct", (0, 0), SAME, collection::distinct),
    row("isDistinct", (0, 0), BOOLEAN, collection::is_distinct),
    row("not", (0, 0), BOOLEAN, logic::not),
    // Filtering and projection.
    row("where", (1, 1), SAME, filter::where_),
    row(
        "select",
        (1, 1),
        (Input::Any, Gives::Projection),
        filter::select,
    ),
    row("repeat", (1, 1), UNKNOWN, filter::repeat),
    row("repeatAll", (1, 1), UNKNOWN, filter::repeat_all),
    row("sort", (0, ANY_NUMBER), SAME, order::sort),
    row(
        "coalesce",
        (1, ANY_NUMBER),
        (Input::Any, Gives::Arguments(0)),
        filter::coalesce,
    ),
    // Subsetting and combining.
    row("single", (0, 0), SAME, collection::single_),
    row("first", (0, 0), ORDERED, collection::first),
    row("last", (0, 0), ORDERED, collection::last),
    row("tail", (0, 0), ORDERED, collection::tail),
    row("skip", (1, 1), ORDERED, collection::skip),
    row("take", (1, 1), ORDERED, collection::take),
    row("intersect", (1, 1), SAME, collection::intersect),
    row("exclude", (1, 1), SAME, collection::exclude),
    row(
        "union",
        (1, 1),
        (Input::Any, Gives::InputAndArgument),
        collection::union,
    ),
    row(
        "combine",
        (1, 2),
        (Input::Any, Gives::InputAndArgument),
        collection::combine,
    ),
    // Conversion.
    row(
        "iif",
        (2, 3),
        (Input::Any, Gives::Arguments(1)),
        filter::iif,
    ),
    row("toBoolean", (0, 0), BOOLEAN, |call, it| {
        convert::to(call, it, convert::boolean)
    }),
    row("toInteger", (0, 0), INTEGER, |call, it| {
        convert::to(call, it, convert::integer)
    }),
    row("toLong", (0, 0), LONG, |call, it| {
        convert::to(call, it, convert::long)
    }),
    row("toDecimal", (0, 0), DECIMAL, |call, it| {
        convert::to(call, it, convert::decimal)
    }),
    row("toString", (0, 0), STRING, |call, it| {
        convert::to(call, it, convert::string)
    }),
    row("toDate", (0, 0), DATE, |call, it| {
        convert::to(call, it, convert::date)
    }),
    row("toDateTime", (0, 0), DATE_TIME, |call, it| {
        convert::to(call, it, convert::date_time)
    }),
    row("toTime", (0, 0), TIME, |call, it| {
        convert::to(call, it, convert::time)
    }),
    row("toQuantity", (0, 1), QUANTITY, convert::to_quantity),
    row("convertsToBoolean", (0, 0), BOOLEAN, |call, it| {
        convert::converts(call, it, convert::boolean)
    }),
    row("convertsToInteger", (0, 0), BOOLEAN, |call, it| {
        convert::converts(call, it, convert::integer)
    }),
    row("convertsToLong", (0, 0), BOOLEAN, |call, it| {
        convert::converts(call, it, convert::long)
    }),
    row("convertsToDecimal", (0, 0), BOOLEAN, |call, it| {
        convert::converts(call, it, convert::decimal)
    }),
    row("convertsToString", (0, 0), BOOLEAN, |call, it| {
        convert::converts(call, it, convert::string)
    }),
    row("convertsToDate", (0, 0), BOOLEAN, |call, it| {
        convert::converts(call, it, convert::date)
    }),
    row("convertsToDateTime", (0, 0), BOOLEAN, |call, it| {
        convert::converts(call, it, convert::date_time)
    }),
    row("convertsToTime", (0, 0), BOOLEAN, |call, it| {
        convert::converts(call, it, convert::time)
    }),
    row(
        "convertsToQuantity",
        (0, 1),
        BOOLEAN,
        convert::converts_to_quantity,
    ),
    // Strings.
    row("indexOf", (1, 1), TEXT_TO_INTEGER, |call, it| {
        string::with_text(call, it, string::index_of)
    }),
    row("lastIndexOf", (1, 1), TEXT_TO_INTEGER, |call, it| {
        string::with_text(call, it, string::last_index_of)
    }),
    row("substring", (1, 2), TEXT_TO_TEXT, string::substring),
    row("startsWith", (1, 1), TEXT_TO_BOOLEAN, |call, it| {
        string::with_text(call, it, |text, wanted| {
            Item::Boolean(text.starts_with(wanted))
        })
    }),
    row("endsWith", (1, 1), TEXT_TO_BOOLEAN, |call, it| {
        string::with_text(call, it, |text, wanted| {
            Item::Boolean(text.ends_with(wanted))
        })
    }),
    row("contains", (1, 1), TEXT_TO_BOOLEAN, |call, it| {
        string::with_text(call, it, |text, wanted| {
            Item::Boolean(text.contains(wanted))
        })
    }),
    row("upper", (0, 0), TEXT_TO_TEXT, |call, it| {
        string::mapped(call, it, str::to_uppercase)
    }),
    row("lower", (0, 0), TEXT_TO_TEXT, |call, it| {
        string::mapped(call, it, str::to_lowercase)
    }),
    row("trim", (0, 0), TEXT_TO_TEXT, |call, it| {
        string::mapped(call, it, |text| text.trim().to_owned())
    }),
    row("replace", (2, 2), TEXT_TO_TEXT, string::replace),
    row("matches", (1, 2), TEXT_TO_BOOLEAN, pattern::matches),
    row(
        "matchesFull",
        (1, 2),
        TEXT_TO_BOOLEAN,
        pattern::matches_full,
    ),
    row(
        "replaceMatches",
        (2, 3),
        TEXT_TO_TEXT,
        pattern::replace_matches,
    ),
    row("length", (0, 0), TEXT_TO_INTEGER, string::length),
    row("toChars", (0, 0), TEXT_TO_TEXT, string::to_chars),
    row("encode", (1, 1), TEXT_TO_TEXT, encoding::encode),
    row("decode", (1, 1), TEXT_TO_TEXT, encoding::decode),
    row("escape", (1, 1), TEXT_TO_TEXT, encoding::escape),
    row("unescape", (1, 1), TEXT_TO_TEXT, encoding::unescape),
    row("split", (1, 1), TEXT_TO_TEXT, string::split),
    row("join", (0, 1), STRING, string::join),
    // Mathematics.
    row("abs", (0, 0), NUMBER, math::abs),
    row("ceiling", (0, 0), NUMBER, |call, it| {
        math::whole(call, it, Decimal::ceil)
    }),
    row("floor", (0, 0), NUMBER, |call, it| {
        math::whole(call, it, Decimal::floor)
    }),
    row("truncate", (0, 0), NUMBER, |call, it| {
        math::whole(call, it, Decimal::trunc)
    }),
    row("round", (0, 1), NUMBER, math::round),
    row("exp", (0, 0), NUMBER_TO_DECIMAL, |call, it| {
        math::inexact(call, it, Decimal::exp)
    }),
    row("ln", (0, 0), NUMBER_TO_DECIMAL, |call, it| {
        math::inexact(call, it, Decimal::ln)
    }),
    row("sqrt", (0, 0), NUMBER_TO_DECIMAL, |call, it| {
        math::inexact(call, it, Decimal::sqrt)
    }),
    row("log", (1, 1), NUMBER_TO_DECIMAL, math::log),
    row("power", (1, 1), NUMBER, math::power),
    // Aggregates.
    row("aggregate", (1, 2), UNKNOWN, filter::aggregate),
    row("sum", (0, 0), UNKNOWN, math::sum),
    row("min", (0, 0), UNKNOWN, order::min),
    row("max", (0, 0), UNKNOWN, order::max),
    row("avg", (0, 0), UNKNOWN, math::avg),
    // Trees, types, utilities.
    row("children", (0, 0), UNKNOWN, tree::children),
    row("descendants", (0, 0), UNKNOWN, tree::descendants),
    row("type", (0, 0), UNKNOWN, type_tests::type_of),
    row("trace", (1, 2), SAME, variable::trace),
    row("defineVariable", (1, 2), SAME, variable::define),
    row("now", (0, 0), DATE_TIME, variable::now),
    row("today", (0, 0), DATE, variable::today),
    row("timeOfDay", (0, 0), TIME, variable::time_of_day),
    row("lowBoundary", (0, 1), UNKNOWN, boundary::low),
    row("highBoundary", (0, 1), UNKNOWN, boundary::high),
    row("precision", (0, 0), INTEGER, boundary::precision),
    row("comparable", (1, 1), BOOLEAN, quantity::comparable),
    row("yearOf", (0, 0), INTEGER, |call, it| {
        convert::component(call, it, convert::year_of)
    }),
    row("monthOf", (0, 0), INTEGER, |call, it| {
        convert::component(call, it, convert::month_of)
    }),
    row("dayOf", (0, 0), INTEGER, |call, it| {
        convert::component(call, it, convert::day_of)
    }),
    row("hourOf", (0, 0), INTEGER, |call, it| {
        convert::component(call, it, convert::hour_of)
    }),
    row("minuteOf", (0, 0), INTEGER, |call, it| {
        convert::component(call, it, convert::minute_of)
    }),
    row("secondOf", (0, 0), INTEGER, |call, it| {
        convert::component(call, it, convert::second_of)
    }),
    row("millisecondOf", (0, 0), INTEGER, |call, it| {
        convert::component(call, it, convert::millisecond_of)
    }),
    row("timezoneOffsetOf", (0, 0), DECIMAL, |call, it| {
        convert::component(call, it, convert::offset_of)
    }),
    row("dateOf", (0, 0), DATE, |call, it| {
        convert::component(call, it, convert::date_of)
    }),
    row("timeOf", (0, 0), TIME, |call, it| {
        convert::component(call, it, convert::time_of)
    }),
    // FHIR.
    row("extension", (1, 1), UNKNOWN, fhir::extension),
    row("hasValue", (0, 0), BOOLEAN, fhir::has_value),
    row("getValue", (0, 0), UNKNOWN, fhir::get_value),
    row("resolve", (0, 0), UNKNOWN, reference::resolve),
    row("memberOf", (1, 1), BOOLEAN, fhir::member_of),
    row("conformsTo", (1, 1), BOOLEAN, fhir::conforms_to),
    row("htmlChecks", (0, 0), BOOLEAN, fhir::html_checks),
    row("subsumes", (1, 1), BOOLEAN, fhir::unavailable),
    row("subsumedBy", (1, 1), BOOLEAN, fhir::unavailable),
    row("elementDefinition", (0, 0), UNKNOWN, fhir::unavailable),
    row("slice", (2, 2), UNKNOWN, fhir::unavailable),
    row("checkModifiers", (0, ANY_NUMBER), SAME, fhir::unavailable),
    // The type factory.
    row("base64Binary", (1, 2), UNKNOWN, factory::primitive),
    row("boolean", (1, 2), UNKNOWN, factory::primitive),
    row("canonical", (1, 2), UNKNOWN, factory::primitive),
    row("code", (1, 2), UNKNOWN, factory::primitive),
    row("date", (1, 2), UNKNOWN, factory::primitive),
    row("dateTime", (1, 2), UNKNOWN, factory::primitive),
    row("decimal", (1, 2), UNKNOWN, factory::primitive),
    row("id", (1, 2), UNKNOWN, factory::primitive),
    row("instant", (1, 2), UNKNOWN, factory::primitive),
    row("integer", (1, 2), UNKNOWN, factory::primitive),
    row("markdown", (1, 2), UNKNOWN, factory::primitive),
    row("oid", (1, 2), UNKNOWN, factory::primitive),
    row("positiveInt", (1, 2), UNKNOWN, factory::primitive),
    row("string", (1, 2), UNKNOWN, factory::primitive),
    row("time", (1, 2), UNKNOWN, factory::primitive),
    row("unsignedInt", (1, 2), UNKNOWN, factory::primitive),
    row("uri", (1, 2), UNKNOWN, factory::primitive),
    row("url", (1, 2), UNKNOWN, factory::primitive),
    row("uuid", (1, 2), UNKNOWN, factory::primitive),
    row("Extension", (1, 2), UNKNOWN, factory::extension),
    row("Identifier", (1, 4), UNKNOWN, |call, it| {
        factory::complex(call, &it, &["system", "value", "use", "type"])
    }),
    row("HumanName", (1, 6), UNKNOWN, |call, it| {
        factory::complex(
            call,
            &it,
            &["family", "given", "prefix", "suffix", "text", "use"],
        )
    }),
    row("ContactPoint", (1, 3), UNKNOWN, |call, it| {
        factory::complex(call, &it, &["system", "value", "use"])
    }),
    row("Address", (1, 7), UNKNOWN, |call, it| {
        let names = [
            "line",
            "city",
            "state",
            "postalCode",
            "country",
            "use",
            "type",
        ];
        factory::complex(call, &it, &names)
    }),
    row("Quantity", (1, 4), UNKNOWN, |call, it| {
        factory::complex(call, &it, &["system", "code", "value", "unit"])
    }),
    row("Coding", (1, 4), UNKNOWN, |call, it| {
        factory::complex(call, &it, &["system", "code", "display", "version"])
    }),
    row("CodeableConcept", (1, 2), UNKNOWN, |call, it| {
        factory::complex(call, &it, &["coding", "text"])
    }),
    row("create", (1, 1), UNKNOWN, factory::create),
    row("withExtension", (3, 3), UNKNOWN, factory::with_extension),
    row("withProperty", (3, 3), UNKNOWN, factory::with_property),
];
