import { clock, clockCode, dateOf } from './dates.ts'
import type { Random } from './random.ts'
import { CANDIDATES, COINS, INDICATORS, LEAGUES, STATES } from './subjects.ts'
import type { Strike } from './types.ts'

/** One proposition as one venue words it. */
export interface Wording {
  title: string
  yesLabel: string
  noLabel: string
  rules: string
  groupLabel: string
  /** Kalshi: the last part of the ticker. Polymarket: the slug. */
  key: string
}

/** One proposition; worded by both venues where both could ask it. */
export interface Question {
  kalshi: Wording | null
  polymarket: Wording | null
  /** The chance of YES, 0 to 1, that prices start around. */
  fair: number
  strike: Strike
}

/** What an event asks: the source of a Kalshi event, of a Polymarket event, or of both. */
export interface Topic {
  category: string
  tags: string[]
  kalshi: { series: string; ticker: string; title: string }
  polymarket: { slug: string; title: string }
  mutuallyExclusive: boolean
  negRisk: boolean
  closeMs: number
  questions: Question[]
}

const DAY_MS = 86_400_000
const NO_STRIKE: Strike = { type: 'custom', floor: null, cap: null }

/** Returns one plausible topic of a kind that both venues list; every market closes in a day or later. */
export function inventTopic(random: Random, nowMs: number): Topic {
  return random.pick([game, game, upOrDown, priceLadder, election, economicPrint])(random, nowMs)
}

function game(random: Random, nowMs: number): Topic {
  const league = random.pick(LEAGUES)
  const away = random.pick(league.teams)
  const home = random.pick(league.teams.filter((team) => team !== away))
  const day = dateOf(nowMs + random.between(1, 60) * DAY_MS)
  const fair = 0.15 + 0.7 * random.next()
  const pair = `${away.code}${home.code}`
  const winner = (team: typeof home) => ({
    title: `${away.city} at ${home.city} Winner?`,
    yesLabel: team.city,
    noLabel: team.city,
    rules: `If ${team.city} wins the ${away.city} at ${home.city} ${league.sport} game scheduled for ${day.long}, then the market resolves to Yes.`,
    groupLabel: team.city,
    key: team.code
  })
  const slug = `${league.code.toLowerCase()}-${away.code}-${home.code}-${day.iso}`.toLowerCase()
  return {
    category: 'Sports',
    tags: ['Sports', league.code],
    kalshi: {
      series: `KX${league.code}GAME`,
      ticker: `KX${league.code}GAME-${day.code}${pair}`,
      title: `${away.city} at ${home.city}`
    },
    polymarket: { slug, title: `${away.name} vs. ${home.name}` },
    mutuallyExclusive: true,
    negRisk: false,
    closeMs: day.endMs,
    questions: [
      {
        kalshi: winner(away),
        polymarket: {
          title: `${away.name} vs. ${home.name}`,
          yesLabel: away.name,
          noLabel: home.name,
          rules: `In the upcoming ${league.code} game, scheduled for ${day.long}: if the ${away.name} win, this market will resolve to "${away.name}"; if the ${home.name} win, to "${home.name}".`,
          groupLabel: '',
          key: slug
        },
        fair,
        strike: NO_STRIKE
      },
      { kalshi: winner(home), polymarket: null, fair: 1 - fair, strike: NO_STRIKE }
    ]
  }
}

function upOrDown(random: Random, nowMs: number): Topic {
  const coin = random.pick(COINS)
  const window = 15 * 60_000
  const startMs = Math.ceil((nowMs + DAY_MS) / window) * window + random.int(4 * 96) * window
  const day = dateOf(startMs)
  const [from, to] = [clock(startMs), clock(startMs + window)]
  const slug = `${coin.code.toLowerCase()}-updown-15m-${startMs / 1000}`
  const title = `${coin.name} Up or Down - ${day.monthDay}, ${from}-${to} ET`
  return {
    category: 'Crypto',
    tags: ['Crypto', coin.name, 'Up or Down'],
    kalshi: {
      series: `KX${coin.code}15M`,
      ticker: `KX${coin.code}15M-${day.code}${clockCode(startMs + window)}`,
      title: `${coin.code} 15 minutes`
    },
    polymarket: { slug, title },
    mutuallyExclusive: false,
    negRisk: false,
    closeMs: startMs + window,
    questions: [
      {
        kalshi: {
          title: `${coin.code} price up in next 15 mins?`,
          yesLabel: `Up by ${to}`,
          noLabel: `Up by ${to}`,
          rules: `If the average price of ${coin.name} in the minute before ${to} ET on ${day.long} is at least that of the minute before ${from} ET, then the market resolves to Yes.`,
          groupLabel: '',
          key: clockCode(startMs + window).slice(-2)
        },
        polymarket: {
          title,
          yesLabel: 'Up',
          noLabel: 'Down',
          rules: `This market will resolve to "Up" if the ${coin.name} price at the end of the time range in the title is greater than or equal to the price at its beginning; otherwise to "Down".`,
          groupLabel: '',
          key: slug
        },
        fair: 0.4 + 0.2 * random.next(),
        strike: NO_STRIKE
      }
    ]
  }
}

function priceLadder(random: Random, nowMs: number): Topic {
  const coin = random.pick(COINS)
  const day = dateOf(nowMs + random.between(2, 90) * DAY_MS)
  const middle = Math.round((coin.price * (0.9 + 0.2 * random.next())) / coin.step) * coin.step
  const rungs = random.between(4, 7)
  const questions = Array.from({ length: rungs }, (_, rung): Question => {
    const level = middle + (rung - rungs / 2) * coin.step * 2
    const label = `$${level.toLocaleString('en-US')}`
    return {
      kalshi: {
        title: `${coin.name} price on ${day.monthDay} at 5pm EST?`,
        yesLabel: `${label} or above`,
        noLabel: `${label} or above`,
        rules: `If the ${coin.name} price at 5 PM EST on ${day.long} is above ${level}, then the market resolves to Yes.`,
        groupLabel: `${label} or above`,
        key: `T${level}`
      },
      polymarket: {
        title: `Will ${coin.name} be above ${label} on ${day.monthDay}?`,
        yesLabel: 'Yes',
        noLabel: 'No',
        rules: `This market will resolve to "Yes" if the 1 minute candle for ${coin.code}/USDT that closes at 17:00 ET on ${day.long} has a final price higher than ${level}.`,
        groupLabel: label,
        key: `${coin.name}-above-${level}-on-${day.iso}`.toLowerCase()
      },
      fair: clamp(0.9 - (rung + 0.5) * (0.8 / rungs)),
      strike: { type: 'greater', floor: level, cap: null }
    }
  })
  return {
    category: 'Crypto',
    tags: ['Crypto', coin.name, 'Crypto Prices'],
    kalshi: {
      series: `KX${coin.code}D`,
      ticker: `KX${coin.code}D-${day.code}17`,
      title: `${coin.name} price on ${day.monthDay}?`
    },
    polymarket: {
      slug: `${coin.name}-above-on-${day.iso}`.toLowerCase(),
      title: `${coin.name} above ___ on ${day.monthDay}?`
    },
    mutuallyExclusive: false,
    negRisk: false,
    closeMs: day.endMs,
    questions
  }
}

function election(random: Random, nowMs: number): Topic {
  const [state, stateCode] = random.pick(STATES)
  const office = random.pick([
    { name: 'governorship', code: 'GOV', title: 'Governor' },
    { name: 'Senate race', code: 'SEN', title: 'Senate' }
  ])
  const year = new Date(nowMs).getUTCFullYear() + random.between(1, 4)
  const first = random.int(CANDIDATES.length)
  const names = [...CANDIDATES.slice(first), ...CANDIDATES.slice(0, first)].slice(0, random.between(3, 6))
  const weights = names.map(() => 0.1 + random.next() ** 2)
  const sum = weights.reduce((total, weight) => total + weight, 0)
  const slugOf = (text: string) => text.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')
  return {
    category: 'Politics',
    tags: ['Politics', 'Elections', state],
    kalshi: {
      series: `KX${office.code}${stateCode}`,
      ticker: `KX${office.code}${stateCode}-${year % 100}`,
      title: `${state} ${office.title} winner?`
    },
    polymarket: {
      slug: slugOf(`${state} ${office.title} election winner ${year}`),
      title: `${state} ${office.title} Election Winner ${year}`
    },
    mutuallyExclusive: true,
    negRisk: true,
    closeMs: Date.UTC(year, 10, 4, 15),
    questions: names.map((name, index) => ({
      kalshi: {
        title: `Who will win the ${office.name} in ${state}?`,
        yesLabel: name,
        noLabel: name,
        rules: `If ${name} wins the ${office.name} in ${state} pursuant to the ${year} election, then the market resolves to Yes.`,
        groupLabel: name,
        key: name.replaceAll(/[^A-Z]/g, '') + name.slice(-2).toUpperCase()
      },
      polymarket: {
        title: `Will ${name} win the ${year} ${state} ${office.title} election?`,
        yesLabel: 'Yes',
        noLabel: 'No',
        rules: `This market will resolve to "Yes" if ${name} wins the ${year} ${state} ${office.title} election. Otherwise, this market will resolve to "No".`,
        groupLabel: name,
        key: slugOf(`will ${name} win the ${year} ${state} ${office.title} election`)
      },
      fair: clamp((weights[index] ?? 0) / sum),
      strike: NO_STRIKE
    }))
  }
}

function economicPrint(random: Random, nowMs: number): Topic {
  const indicator = random.pick(INDICATORS)
  const day = dateOf(nowMs + random.between(5, 700) * DAY_MS)
  const count = random.between(3, 6)
  return {
    category: 'Economics',
    tags: ['Economy', indicator.name],
    kalshi: {
      series: `KX${indicator.code}`,
      ticker: `KX${indicator.code}-${day.yearMonth}`,
      title: `${indicator.name} in ${day.month} ${day.year}?`
    },
    polymarket: {
      slug: `${indicator.code}-${day.month}-${day.year}`.toLowerCase(),
      title: `${indicator.name} - ${day.month} ${day.year}`
    },
    mutuallyExclusive: false,
    negRisk: false,
    closeMs: day.endMs,
    questions: Array.from({ length: count }, (_, index): Question => {
      const level = Number((indicator.middle + (index - count / 2) * indicator.step).toFixed(2))
      return {
        kalshi: {
          title: `Will ${indicator.name} be above ${level}% in ${day.month} ${day.year}?`,
          yesLabel: `Above ${level}%`,
          noLabel: `Above ${level}%`,
          rules: `If the ${indicator.name} for ${day.month} ${day.year} is above ${level}%, then the market resolves to Yes.`,
          groupLabel: `Above ${level}%`,
          key: `T${level}`
        },
        polymarket: {
          title: `Will ${day.month} ${indicator.name} come in higher than ${level}%?`,
          yesLabel: 'Yes',
          noLabel: 'No',
          rules: `This market will resolve to "Yes" if the ${indicator.name} reported for ${day.month} ${day.year} is greater than ${level}%. Otherwise, this market will resolve to "No".`,
          groupLabel: `>${level}%`,
          key: `${indicator.code}-higher-than-${level}-${day.month}-${day.year}`
            .toLowerCase()
            .replace('.', 'pt')
        },
        fair: clamp(0.95 - (index + 0.5) * (0.9 / count)),
        strike: { type: 'greater', floor: level, cap: null }
      }
    })
  }
}

function clamp(probability: number): number {
  return Math.min(0.985, Math.max(0.015, probability))
}
