//! Narratives that pass and that do not.

use super::*;

fn faults(inside: &str) -> String {
    whole(&format!(
        "<div xmlns=\"http://www.w3.org/1999/xhtml\">{inside}</div>"
    ))
}

fn whole(div: &str) -> String {
    let faults = check(div).into_iter().map(|fault| fault.what);
    faults.collect::<Vec<_>>().join("; ")
}

#[test]
fn lists_are_sorted() {
    assert!(ELEMENTS.is_sorted() && ATTRIBUTES.is_sorted());
}

#[test]
fn formatting_tables_links_and_images_pass() {
    for inside in [
        "text",
        "<p>a<br/>b</p><hr />",
        "<table class='x' border=\"1\"><tr><td colspan=\"2\">1 &lt; 2 &amp;&#160;&#xA0;</td></tr></table>",
        "<a href=\"http://example.org/\">x</a><a name=\"b\">y</a>",
        "<img src=\"#pic\" alt=\"\"/>",
        "<img src=\"data:image/png;base64,AAAA\"/>",
        "<span style=\"color: rgb(1,2,3); width: calc(1px + 2px)\">x</span>",
        "<span style=\"font-family: &quot;Arial&quot;\">x</span>",
        "<p style=\"background-image: url('data:image/png;base64,AA=='), url(x.png)\">x</p>",
        "<p xml:lang=\"fr\" lang=\"fr\">été 😀</p>",
        "x<!-- a comment -->",
        "<a href=\"javascripts/list\">x</a>",
        "<h1 \n title = 'x' >x</h1 >",
    ] {
        assert_eq!(faults(inside), "", "{inside}");
    }
}

#[test]
fn what_runs_or_embeds_is_refused() {
    let link = "`href` of `a` leads to a script or to embedded data";
    let style = "a `style` leads to a script or hides its text";
    for (inside, expected) in [
        (
            "<script>x</script>",
            "`script` is not allowed in a narrative (txt-1)",
        ),
        (
            "<p onclick='x()'>x</p>",
            "the attribute `onclick` is not allowed in a narrative (txt-1)",
        ),
        (
            "x<object/>",
            "`object` is not allowed in a narrative (txt-1)",
        ),
        (
            "x<iframe src=\"http://example.org\"/>",
            "`iframe` is not allowed in a narrative (txt-1)",
        ),
        (
            "x<form><input/></form>",
            "`form` is not allowed in a narrative (txt-1); `input` is not allowed in a narrative (txt-1)",
        ),
        (
            "x<svg:svg/>",
            "`svg:svg` is not allowed in a narrative (txt-1)",
        ),
        ("<P>x</P>", "`P` is not allowed in a narrative (txt-1)"),
        ("<a href=\"javascript:x\">x</a>", link),
        ("<a href=\" JaVa&#10;Script&#58;x\">x</a>", link),
        (
            "<a href=\"\u{1f}x\">x</a>",
            "the narrative has a control character",
        ),
        ("<a href=\"vbscript:x\">x</a>", link),
        ("<a href=\"data:text/html,x\">x</a>", link),
        (
            "<img src=\"data:text/html,x\"/>",
            "`src` of `img` leads to a script or to embedded data",
        ),
        ("<p style=\"background: url(javascript:x)\">x</p>", style),
        ("<p style=\"width: EXPRESSION (x)\">x</p>", style),
        ("<p style=\"a: url&#40;'data:text/html,x')\">x</p>", style),
        ("<p style=\"a: \\75rl\">x</p>", style),
        (
            "<p xmlns=\"urn:x\">x</p>",
            "the `div` is not in the namespace of XHTML",
        ),
    ] {
        assert_eq!(faults(inside), expected, "{inside}");
    }
}

#[test]
fn it_is_well_formed() {
    let entity = "a `<` or `&` stands alone, or an entity is not one of XML's five";
    let other = "the narrative has a declaration, a processing instruction or a CDATA section";
    for (inside, expected) in [
        ("<p>x", "`p` is closed by `div`"),
        ("<b><i>x</b></i>", "`i` is closed by `b`"),
        ("x</div>", "`div` is closed, but was not open"),
        ("a & b", entity),
        ("a &nbsp; b", entity),
        ("a &#0; b", entity),
        ("a &#xD800; b", entity),
        ("a &#+65; b", entity),
        ("a &ampamp", entity),
        ("a < b", "a tag or attribute has no name"),
        ("<p class=x>x</p>", "the value of `class` is not quoted"),
        ("<p class=\"x>x</p>", "the value of `class` is not quoted"),
        ("<p class>x</p>", "a tag is malformed or not finished"),
        (
            "<p class=\"a\"id=\"b\">x</p>",
            "the tag of `p` is malformed",
        ),
        ("<p class=\"<\">x</p>", entity),
        ("<p class=\"a\" class=\"b\">x</p>", "`p` has `class` twice"),
        ("<!-- x", "a comment is not closed, or has `--` inside"),
        ("<!-- -- -->", "a comment is not closed, or has `--` inside"),
        ("<![CDATA[x]]>", other),
        ("<?php x ?>", other),
        ("x\u{0}", "the narrative has a control character"),
    ] {
        assert_eq!(faults(inside), expected, "{inside}");
    }
}

#[test]
fn it_is_one_div_with_something_to_read() {
    let empty = "the narrative has neither text nor an image (txt-2)";
    for (inside, expected) in [
        ("", empty),
        (" \n", empty),
        ("<p> <br/></p>", empty),
        ("<!-- x -->", empty),
        ("<img alt=\"x\"/>", empty),
    ] {
        assert_eq!(faults(inside), expected, "{inside}");
    }
    for (div, expected) in [
        ("", "the narrative is not a `div`"),
        ("x", "text stands outside the `div`"),
        (
            "<p xmlns=\"http://www.w3.org/1999/xhtml\">x</p>",
            "the narrative is not one `div`",
        ),
        ("<div>x</div>", "the `div` is not in the namespace of XHTML"),
        (
            "<div xmlns=\"urn:x\">x</div>",
            "the `div` is not in the namespace of XHTML",
        ),
        (
            "<!DOCTYPE div [<!ENTITY a \"aa\">]><div>&a;</div>",
            "the narrative has a declaration, a processing instruction or a CDATA section",
        ),
        (
            "<div xmlns=\"http://www.w3.org/1999/xhtml\">x",
            "`div` is not closed",
        ),
        (
            "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div><div/>",
            "the narrative is not one `div`",
        ),
        (
            "<div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>y",
            "text stands outside the `div`",
        ),
        (
            " <div xmlns=\"http://www.w3.org/1999/xhtml\">x</div>\n<!-- -->",
            "",
        ),
        (
            "<div xmlns=\"http://www.w3.org/1999/xhtml\"",
            "the tag of `div` is malformed",
        ),
    ] {
        assert_eq!(whole(div), expected, "{div}");
    }
}

fn many(count: usize, one: impl Fn(usize) -> String) -> String {
    (0..count).map(one).collect::<Vec<_>>().concat()
}

#[test]
fn depth_attributes_and_faults_are_limited() {
    let deep = "<b>".repeat(1_000_000);
    assert_eq!(faults(&deep), "elements are nested more than 200 deep");
    let attributes = many(100_000, |at| format!(" a{at}='x'"));
    assert!(faults(&format!("<b{attributes}/>")).ends_with("more than 50 attributes"));
    let unknown = many(1000, |at| format!("<x{at}/>"));
    assert_eq!(
        check(&format!("<div>x{unknown}</div>")).len(),
        NARRATIVE_FAULTS_MAX
    );
}
