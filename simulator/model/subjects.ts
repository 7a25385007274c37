export interface Team {
  city: string
  name: string
  code: string
}

const teams = (lines: string[]): Team[] =>
  lines.map((line) => {
    const [code = '', city = '', name = ''] = line.split('/')
    return { code, city, name }
  })

export const LEAGUES = [
  {
    code: 'NBA',
    sport: 'basketball',
    teams: teams([
      'ATL/Atlanta/Hawks',
      'BOS/Boston/Celtics',
      'CHI/Chicago/Bulls',
      'CLE/Cleveland/Cavaliers',
      'DAL/Dallas/Mavericks',
      'DEN/Denver/Nuggets',
      'GSW/Golden State/Warriors',
      'HOU/Houston/Rockets',
      'MIA/Miami/Heat',
      'NYK/New York/Knicks',
      'PHX/Phoenix/Suns',
      'SAC/Sacramento/Kings'
    ])
  },
  {
    code: 'NFL',
    sport: 'football',
    teams: teams([
      'BUF/Buffalo/Bills',
      'CIN/Cincinnati/Bengals',
      'DET/Detroit/Lions',
      'GB/Green Bay/Packers',
      'KC/Kansas City/Chiefs',
      'MIN/Minnesota/Vikings',
      'NE/New England/Patriots',
      'PHI/Philadelphia/Eagles',
      'SEA/Seattle/Seahawks',
      'SF/San Francisco/49ers'
    ])
  },
  {
    code: 'NHL',
    sport: 'hockey',
    teams: teams([
      'CGY/Calgary/Flames',
      'EDM/Edmonton/Oilers',
      'FLA/Florida/Panthers',
      'MTL/Montreal/Canadiens',
      'NSH/Nashville/Predators',
      'OTT/Ottawa/Senators',
      'TOR/Toronto/Maple Leafs',
      'VGK/Vegas/Golden Knights',
      'WPG/Winnipeg/Jets'
    ])
  }
]

export const COINS = [
  { code: 'BTC', name: 'Bitcoin', price: 98_000, step: 1000 },
  { code: 'ETH', name: 'Ethereum', price: 3400, step: 50 },
  { code: 'SOL', name: 'Solana', price: 180, step: 5 },
  { code: 'DOGE', name: 'Dogecoin', price: 40, step: 1 },
  { code: 'LTC', name: 'Litecoin', price: 120, step: 2 }
]

export const INDICATORS = [
  { code: 'CPIYOY', name: 'CPI year-over-year', middle: 2.9, step: 0.1 },
  { code: 'CPI', name: 'CPI month-over-month', middle: 0.3, step: 0.1 },
  { code: 'U3', name: 'unemployment rate', middle: 4.4, step: 0.1 },
  { code: 'GDP', name: 'GDP growth', middle: 2.1, step: 0.5 },
  { code: 'PPI', name: 'producer price inflation', middle: 0.2, step: 0.1 },
  { code: 'FED', name: 'upper bound of the federal funds rate', middle: 3.5, step: 0.25 }
]

export const STATES: readonly (readonly [name: string, code: string])[] = [
  ['Alaska', 'AK'],
  ['Arizona', 'AZ'],
  ['California', 'CA'],
  ['Colorado', 'CO'],
  ['Florida', 'FL'],
  ['Georgia', 'GA'],
  ['Iowa', 'IA'],
  ['Kansas', 'KS'],
  ['Maine', 'ME'],
  ['Michigan', 'MI'],
  ['Minnesota', 'MN'],
  ['Nevada', 'NV'],
  ['New York', 'NY'],
  ['North Carolina', 'NC'],
  ['Ohio', 'OH'],
  ['Oregon', 'OR'],
  ['Pennsylvania', 'PA'],
  ['Texas', 'TX'],
  ['Virginia', 'VA'],
  ['Wisconsin', 'WI']
]

/** Invented people. */
export const CANDIDATES = [
  'Ada Brookfield',
  'Ben Castellan',
  'Cora Delacroix',
  'Dominic Eastwick',
  'Elena Farrow',
  'Felix Grantham',
  'Grace Holloway',
  'Hugo Ironside',
  'Iris Jessop',
  'Jonas Kettering',
  'Kira Lindqvist',
  'Leo Marchetti',
  'Mara Northcott',
  'Noel Ostrander'
]
