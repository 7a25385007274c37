import type { AsyncApiDocument, DocumentedSchema } from '../../../schemas/asyncapi.ts'

/** Returns the document of the stream as one page of HTML, without any script. */
export function streamPage({ info, channels, operations, components }: AsyncApiDocument): string {
  const used = Object.values(components.messages).map(({ payload }) => nameOf(payload.$ref))
  const parts = Object.entries(components.schemas).filter(([name]) => !used.includes(name))
  const sections = [
    ...Object.values(channels).map(
      ({ title, address, description }) =>
        `<section><h2>${text(title)} <code>${text(address)}</code></h2><p>${text(description)}</p></section>`
    ),
    ...Object.values(operations)
      .filter(({ channel }) => channel.$ref === '#/channels/stream')
      .map(({ summary, messages }) => {
        const names = messages.map(({ $ref }) => nameOf($ref))
        return `<section><h2>${text(summary)}</h2>${names.map((name) => message(components, name)).join('')}</section>`
      }),
    `<section><h2>Parts</h2>${parts.map(([name, schema]) => part(name, schema)).join('')}</section>`
  ]
  return (
    `<!doctype html><html lang="en"><head><meta charset="utf-8"><title>${text(info.title)}</title>` +
    `<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"><style>${STYLE}</style></head><body>` +
    `<h1>${text(info.title)} <small>${text(info.version)}</small></h1><p>${text(info.description)}</p>` +
    `<p><a href="/asyncapi.yaml">asyncapi.yaml</a> · <a href="/asyncapi.json">asyncapi.json</a> · <a href="/docs">REST</a></p>` +
    `${sections.join('')}</body></html>`
  )
}

function message({ messages, schemas }: AsyncApiDocument['components'], name: string): string {
  const found = messages[name]
  const schema = schemas[nameOf(found?.payload.$ref ?? '')]
  if (found === undefined || schema === undefined) return ''
  const examples = found.examples.map(({ payload }) => example(payload)).join('')
  return (
    `<article id="message-${text(name)}"><h3>${text(name)}</h3><p>${text(found.summary)}</p>` +
    `${fields(schema)}<details><summary>Examples</summary>${examples}</details></article>`
  )
}

function part(name: string, schema: DocumentedSchema): string {
  return (
    `<article id="${text(name)}"><h3>${text(name)}</h3><p>${text(schema.description ?? '')}</p>` +
    `${fields(schema)}</article>`
  )
}

function fields({ properties = {}, required = [] }: DocumentedSchema): string {
  const rows = Object.entries(properties).map(([name, schema]) => {
    const optional = required.includes(name) ? '' : ' <em>optional</em>'
    return `<tr><td><code>${text(name)}</code>${optional}</td><td>${typeOf(schema)}</td><td>${text(schema.description ?? '')}</td></tr>`
  })
  return rows.length === 0 ? '' : `<table><tbody>${rows.join('')}</tbody></table>`
}

function typeOf(schema: DocumentedSchema): string {
  const { $ref, const: constant, enum: values, items, anyOf, type } = schema
  if ($ref !== undefined) {
    const name = text(nameOf($ref))
    return `<a href="#${name}">${name}</a>`
  }
  if (constant !== undefined) return `<code>${text(JSON.stringify(constant))}</code>`
  if (values !== undefined)
    return values.map((value) => `<code>${text(JSON.stringify(value))}</code>`).join(' ')
  if (anyOf !== undefined) return anyOf.map(typeOf).join(' or ')
  return type === 'array' && items !== undefined ? `list of ${typeOf(items)}` : text(type ?? 'object')
}

function example(payload: unknown): string {
  return `<pre>${text(JSON.stringify(payload, null, 2))}</pre>`
}

function nameOf(reference: string): string {
  return reference.slice(reference.lastIndexOf('/') + 1)
}

const ENTITIES: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' }

function text(value: string): string {
  return value.replace(/[&<>"]/g, (character) => ENTITIES[character] as string)
}

const STYLE =
  'body{font:16px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#1c1c1c}' +
  'h2{margin-top:2.5rem;border-bottom:1px solid #ccc}table{border-collapse:collapse;width:100%}' +
  'td{border-top:1px solid #ddd;padding:.35rem .6rem;vertical-align:top}pre{background:#f5f5f5;padding:.8rem;overflow:auto}' +
  'code{background:#f2f2f2;padding:0 .2rem}em,small{color:#666;font-style:normal;font-size:.85em}'
