import { describe, expect, it } from '@jest/globals';
import * as fc from 'fast-check';

import { HadoopConfigurationError } from './hadoop-configuration-error.ts';
import { parseXmlDocument, type XmlNode } from './xml-document.ts';

const parse = (text: string): XmlNode => parseXmlDocument(Buffer.from(text), 'core-site.xml');

function failure(text: string | Uint8Array): HadoopConfigurationError {
  try {
    parseXmlDocument(Buffer.from(text), 'core-site.xml');
  } catch (error) {
    if (error instanceof HadoopConfigurationError) return error;
    throw error;
  }
  throw new Error('was accepted');
}

describe('parseXmlDocument refuses', () => {
  it.each([
    ['nothing', '', 1, /no root element/],
    ['blanks', ' \n ', 1, /no root element/],
    ['a comment alone', '<!-- x -->', 1, /no root element/],
    ['plain text', 'fs.defaultFS=hdfs://nn', 1, /no root element|outside the root/],
    ['text before the root', 'x<a/>', 1, /outside the root/],
    ['text after the root', '<a/>\nx', 1, /outside the root/],
    ['CDATA outside the root', '<a/><![CDATA[x]]>', 1, /outside the root/],
    ['a second root', '<a/>\n<b/>', 2, /second root/],
    ['an element never closed', '<a>\n<b>\n</b>', 1, /never closed/],
    ['elements that cross', '<a>\n<b>\n</a>\n</b>', 3, /does not match/],
    ['an end tag alone', '</a>', 1, /does not match/],
    ['an end tag too many', '<a></a></a>', 1, /does not match/],
    ['an end tag with attributes', '<a></a b="c">', 1, /end tag is malformed/],
    ['a stray <', '<a>\n1 < 2</a>', 2, /start tag is malformed/],
    ['a tag cut off', '<a>\n<b', 2, /start tag is malformed/],
    ['a < in an attribute', '<a b="<!-- "/>', 1, /start tag is malformed/],
    ['an attribute without quotes', '<a b=c/>', 1, /start tag is malformed/],
    ['an attribute without value', '<a b/>', 1, /start tag is malformed/],
    ['an attribute that does not end', '<a b="c/>', 1, /start tag is malformed/],
    ['attributes without a blank', '<a b="c"d="e"/>', 1, /start tag is malformed/],
    ['a comment that does not end', '<a>\n\n<!-- </a>', 3, /comment is never closed/],
    ['CDATA that does not end', '<a>\n<![CDATA[</a>', 2, /CDATA section is never closed/],
    ['an odd processing instruction', "<?x ' ?><a>' ?></a>", 1, /processing instruction/],
    ['a processing instruction that does not end', '<?xml version="1.0"', 1, /processing instruction/],
    ['a DOCTYPE', '<?xml version="1.0"?>\n<!DOCTYPE a><a/>', 2, /DOCTYPE/],
    ['a DOCTYPE in lower case', '<!doctype html><html/>', 1, /DOCTYPE/],
    ['an entity declaration within', '<a>\n<!ENTITY x "y"></a>', 2, /DOCTYPE and entity/],
    ['an unknown entity', '<a>\n<b>&secret;</b></a>', 2, /&amp;/],
    ['an HTML entity', '<a>&nbsp;</a>', 1, /&amp;/],
    ['an & alone', '<a>b & c</a>', 1, /&amp;/],
    ['an & in an attribute', '<a b="&c"/>', 1, /&amp;/],
    ['a reference to no character', '<a>&#0;</a>', 1, /&amp;/],
    ['a reference to half a surrogate pair', '<a>&#xD800;</a>', 1, /&amp;/],
    ['a reference beyond Unicode', '<a>&#x110000;</a>', 1, /&amp;/],
    ['a NUL', '<a>\n\0</a>', 2, /does not allow/],
    ['a vertical tab', '<a>\u000b</a>', 1, /does not allow/],
    ['33 levels', '<a>'.repeat(33) + '</a>'.repeat(33), 1, /nest deeper/],
  ])('%s', (_, text, line, message) => {
    const error = failure(text);
    expect(error.problems).toHaveLength(1);
    expect(error.problems[0]).toMatchObject({ file: 'core-site.xml', line });
    expect(error.message).toMatch(message);
  });

  it.each([
    ['bytes that are not UTF-8', Buffer.from('<a>\xff</a>', 'latin1'), /not valid UTF-8/],
    ['UTF-16', Buffer.from('\ufeff<a/>', 'utf16le'), /not valid UTF-8/],
    [
      'another declared encoding with more than ASCII',
      Buffer.from('<?xml version="1.0" encoding="ISO-8859-15"?><a>ä</a>'),
      /encoding other than UTF-8/,
    ],
    ['__proto__', Buffer.from('<__proto__/>'), /name that is not allowed/],
  ])('%s', (_, bytes, message) => {
    expect(failure(bytes).message).toMatch(message);
  });

  it('without quoting the document, which may hold passwords', () => {
    for (const text of ['<a>s3cr3t<x</a>', '<a>&s3cr3t;</a>', '<s3cr3t>', '<a b="s3cr3t>']) {
      expect(failure(text).message).not.toContain('s3cr3t');
    }
  });
});

describe('parseXmlDocument', () => {
  it('gives names without prefix, attributes, lines and text', () => {
    const text =
      '\ufeff<?xml version="1.0"?>\n<?xml-stylesheet type="text/xsl" href="a.xsl"?>\n<!-- <x> -->\r\n' +
      '<c:a xmlns:c="urn:c"\n b = \'1 "2"\' c:d="&lt;&#x41;\t&quot;>">\n t&amp;<e f="" /><![CDATA[<&amp;>]]></c:a >\n';
    expect(parse(text)).toEqual({
      name: 'a',
      line: 4,
      attributes: new Map([
        ['b', '1 "2"'],
        ['d', '<A ">'],
      ]),
      children: ['\n t&', { name: 'e', line: 6, attributes: new Map([['f', '']]), children: [] }, '<&amp;>'],
    });
  });

  it.each(['1.0', 'true', '0x10', ' 007 ', '1e5', 'ünïcode 𝄞'])('leaves the text %p alone', (text) => {
    expect(parse(`<a>${text}</a>`)).toMatchObject({ children: [text] });
  });

  it('takes another declared encoding for ASCII', () => {
    expect(parse('<?xml version="1.0" encoding="ISO-8859-1"?><a>b</a>')).toMatchObject({ children: ['b'] });
  });

  it('accepts 32 levels', () => {
    expect(parse('<a>'.repeat(32) + '</a>'.repeat(32))).toMatchObject({ name: 'a' });
  });

  it('never expands a reference that an expansion makes', () => {
    expect(parse('<a>&amp;lt;</a>')).toMatchObject({ children: ['&lt;'] });
  });

  const fragment = fc.constantFrom(
    '<a>',
    '</a>',
    '<a b="c"/>',
    '<',
    '>',
    '&',
    '&amp;',
    '&x;',
    '"',
    "'",
    '<!--',
    '-->',
    '<![CDATA[',
    ']]>',
    '<?',
    '?>',
    '<!DOCTYPE a [',
    '<!ENTITY x "&x;&x;">',
    ']>',
    '/',
    '=',
    ' ',
    '\r\n',
    'x:y',
    '__proto__',
    '#text',
    ':@',
    'ü',
  );
  it.each([
    ['strings', fc.string({ unit: 'binary' })],
    ['markup', fc.array(fragment, { maxLength: 60 }).map((parts) => parts.join(''))],
    ['bytes', fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1'))],
  ])('throws nothing but HadoopConfigurationError for random %s', (_, arbitrary) => {
    fc.assert(
      fc.property(arbitrary, fc.boolean(), (text, wrapped) => {
        try {
          parse(wrapped ? `<configuration>${text}</configuration>` : text);
        } catch (error) {
          expect(error).toBeInstanceOf(HadoopConfigurationError);
        }
      }),
      { numRuns: 500 },
    );
  });

  it('gives back every text that is written as XML', () => {
    const xmlText = fc.string({ unit: 'grapheme' }).map((text) =>
      // oxlint-disable-next-line no-control-regex -- what XML can't hold
      text.replaceAll(/[\0-\x08\x0b-\x1f\ufffe\uffff]/g, ''),
    );
    fc.assert(
      fc.property(xmlText, (text) => {
        const escaped = text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('"', '&#34;');
        const root = parse(`<a b="${escaped}">${escaped}<c/></a>`);
        expect(root).toMatchObject({ attributes: new Map([['b', text.replaceAll(/[\t\n]/g, ' ')]]) });
        const [first] = typeof root === 'string' ? [] : root.children;
        expect(typeof first === 'string' ? first : '').toBe(text);
      }),
    );
  });

  // Each of these takes minutes with a pattern that backtracks or a scan that starts over.
  it.each([
    ['start tags', '<a>'.repeat(300_000)],
    ['open brackets', '<'.repeat(900_000)],
    ['blanks in a tag', `<a${' '.repeat(900_000)}`],
    ['attributes of an open tag', `<a${' b="c"'.repeat(150_000)}`],
    ['quotes', `<a${' b="'.repeat(200_000)}>`],
    ['open comments', `<a>${'<!--'.repeat(200_000)}`],
    ['ampersands', `<a>${'&'.repeat(900_000)}</a>`],
    ['elements', `<a>${'<b/>\n'.repeat(100_000)}</a>`],
    ['references', `<a>${'&#65;'.repeat(180_000)}</a>`],
    ['processing instructions', '<?a '.repeat(200_000)],
  ])('is done with a megabyte of %s in time', (_, text) => {
    try {
      parse(text);
    } catch (error) {
      expect(error).toBeInstanceOf(HadoopConfigurationError);
    }
  });
});
