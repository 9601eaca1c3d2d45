//! What XML and JSON make of each other.

use expect_test::{Expect, expect};
use fhir::json::{Limits, minify, same_content};
use fhir::xml::{self, Layout};
use fhir::{Definitions, FhirVersion};

use crate::data::parse;

fn r4() -> &'static Definitions {
    Definitions::of(FhirVersion::R4)
}

fn check_write(json: &str, expected: &Expect) {
    let document = parse(json.to_owned());
    let written = match xml::write(&document, r4(), Layout::Indented) {
        Ok(text) => {
            let again = xml::read(text.as_bytes(), r4(), &Limits::DEFAULT).unwrap();
            assert!(
                same_content(document.root(), parse(again).root()),
                "the way back"
            );
            text
        }
        Err(fault) => format!("{fault} at {}", fault.expression.as_deref().unwrap_or("-")),
    };
    expected.assert_eq(&written);
}

fn check_read(xml: &str, expected: &Expect) {
    let told = match xml::read(xml.as_bytes(), r4(), &Limits::DEFAULT) {
        Ok(json) => minify(&parse(json)),
        Err(faults) => {
            let issues = faults.iter().map(fhir::Issue::from);
            let lines = issues.map(|it| format!("{} {:?}\n", it.what, it.expression));
            lines.collect::<Vec<_>>().concat()
        }
    };
    expected.assert_eq(&told);
}

#[test]
fn elements_are_written_in_the_order_of_the_definition() {
    check_write(
        r#"{"resourceType":"Patient","active":true,"id":"a","gender":"male",
            "_gender":{"id":"g","extension":[{"valueDecimal":1.00,"url":"x"}]},
            "contained":[{"resourceType":"Observation","valueQuantity":{"value":0.10},"id":"c"}],
            "_birthDate":{"extension":[{"url":"y","valueCode":"unknown"}]},
            "name":[{"given":["A & B",null,"<\"C\">"],"_given":[null,{"id":"n"},null],"id":"z"},{"text":"x\n\ty"}],
            "multipleBirthInteger":2}"#,
        &expect![[r#"
            <?xml version="1.0" encoding="UTF-8"?>
            <Patient xmlns="http://hl7.org/fhir">
              <id value="a"/>
              <contained>
                <Observation>
                  <id value="c"/>
                  <valueQuantity>
                    <value value="0.10"/>
                  </valueQuantity>
                </Observation>
              </contained>
              <active value="true"/>
              <name id="z">
                <given value="A &amp; B"/>
                <given id="n"/>
                <given value="&lt;&quot;C&quot;&gt;"/>
              </name>
              <name>
                <text value="x&#10;&#9;y"/>
              </name>
              <gender id="g" value="male">
                <extension url="x">
                  <valueDecimal value="1.00"/>
                </extension>
              </gender>
              <birthDate>
                <extension url="y">
                  <valueCode value="unknown"/>
                </extension>
              </birthDate>
              <multipleBirthInteger value="2"/>
            </Patient>"#]],
    );
}

#[test]
fn narratives_are_kept_as_text() {
    let narrative = r#"{"resourceType":"Basic","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\" lang=\"en\"><!-- c --><p class='a'>x &lt; y &#160;<br/>\n é</p></div>"}}"#;
    check_write(
        narrative,
        &expect![[r#"
        <?xml version="1.0" encoding="UTF-8"?>
        <Basic xmlns="http://hl7.org/fhir">
          <text>
            <status value="generated"/>
            <div xmlns="http://www.w3.org/1999/xhtml" lang="en"><!-- c --><p class='a'>x &lt; y &#160;<br/>
         é</p></div>
          </text>
        </Basic>"#]],
    );
}

#[test]
fn html_entities_become_character_references() {
    let text = r#"{"resourceType":"Basic","text":{"status":"generated","div":"<div>a&nbsp;b &copy; <a title=\"&eacute;&amp;\">x</a></div>"}}"#;
    let written = xml::write(&parse(text), r4(), Layout::Compact).unwrap();
    check_read(
        &written,
        &expect![[
            r#"{"resourceType":"Basic","text":{"status":"generated","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\">a&#160;b &#169; <a title=\"&#233;&amp;\">x</a></div>"}}"#
        ]],
    );
}

#[test]
fn what_cannot_be_told_in_xml_is_a_fault() {
    for (json, expected) in [
        (
            r#"{"resourceType":"Patient","name":[{},{"givn":"x"}]}"#,
            expect!["an array or object is empty at Patient.name[0]"],
        ),
        (
            r#"{"resourceType":"Patient","name":[{"text":"a\u0001b"}]}"#,
            expect!["a string holds a character that XML does not allow at Patient.name[0].text"],
        ),
        (
            r#"{"resourceType":"Patient","text":{"div":"<div>a<br></div>"}}"#,
            expect!["a narrative is not well-formed XHTML at Patient.text.div"],
        ),
        (
            r#"{"resourceType":"Patient","text":{"div":"<div/><script/>"}}"#,
            expect!["a narrative is not exactly one `div` at Patient.text.div"],
        ),
        (
            r#"{"resourceType":"Patient","text":{"div":"<p>x</p>"}}"#,
            expect!["a narrative is not a `div` of XHTML at Patient.text.div"],
        ),
        (
            r#"{"resourceType":"Nothing"}"#,
            expect!["`resourceType` names no resource of this FHIR version at -"],
        ),
    ] {
        check_write(json, &expected);
    }
}

#[test]
fn prefixes_comments_and_order_do_not_matter() {
    check_read(
        r#"<?xml version="1.0" encoding="UTF-8"?><?style sheet?><!-- a -->
           <f:Patient xmlns:f="http://hl7.org/fhir" xmlns:h="http://www.w3.org/1999/xhtml"
              xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance" xsi:schemaLocation="http://hl7.org/fhir x.xsd">
              <f:name><f:given value="a"/><f:family value="F"/><f:given value="b"><!-- c --></f:given></f:name>
              <f:active value="true"/><f:name id="n"/>
              <f:text><f:status value="empty"/><h:div id="d"><h:p>x<h:br/></h:p><![CDATA[a<b]]></h:div></f:text>
           </f:Patient>"#,
        &expect![[
            r#"{"resourceType":"Patient","name":[{"given":["a","b"],"family":"F"},{"id":"n"}],"active":true,"text":{"status":"empty","div":"<div xmlns=\"http://www.w3.org/1999/xhtml\" id=\"d\"><p>x<br/></p>a&lt;b</div>"}}"#
        ]],
    );
}

#[test]
fn values_keep_their_digits_and_kinds() {
    check_read(
        r#"<Observation xmlns="http://hl7.org/fhir"><valueQuantity><value value="1.00"/><unit value="1.00"/></valueQuantity>
           <component><valueInteger value="007"/></component><component><valueBoolean value="TRUE"/></component>
           <component><valueString value=" a&#10;&#x9;b
c "/></component></Observation>"#,
        &expect![[
            r#"{"resourceType":"Observation","valueQuantity":{"value":1.00,"unit":"1.00"},"component":[{"valueInteger":"007"},{"valueBoolean":"TRUE"},{"valueString":" a\n\tb c "}]}"#
        ]],
    );
}

#[test]
fn all_faults_are_told_with_their_places() {
    check_read(
        "<Bundle xmlns=\"http://hl7.org/fhir\">\n<entry/>\n<entry><resource><Patient><nam/>\n<name><given value=\"a\"/><given valu=\"b\"/></name></Patient></resource></entry></Bundle>",
        &expect![[r#"
            unknown element `nam` at line 3, column 27 ["Bundle.entry[1].resource"]
            unknown attribute `valu` at line 4, column 25 ["Bundle.entry[1].resource.name[0].given[1]"]
        "#]],
    );
}
