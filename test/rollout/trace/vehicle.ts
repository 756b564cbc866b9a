/** A car: doors, engine, fuel, tires, climate, and places that are saved, renamed and deleted. */

import {
  type Input,
  type Outcome,
  pick,
  pickWeighted,
  type Random,
  type RunContext,
  type ToolRequest,
  type ToolWorld,
} from './tool-world.js';

interface Car {
  readonly doors: Record<string, 'locked' | 'open'>;
  readonly tires: Record<string, number>;
  readonly climate: Record<string, number>;
  readonly places: Record<string, number>;
  engine: 'stopped' | 'running';
  brake: 'set' | 'released';
  fuel: number;
  at: number;
  odometer: number;
  code: number;
}

const effects = {
  status: { reads: ['car:{part}'] },
  dashboard: { reads: ['car:**'] },
  check_door: { reads: ['car:doors/{door}'] },
  check_tire: { reads: ['car:tires/{tire}'] },
  range_left: { reads: ['car:fuel', 'car:tires'] },
  list_places: { reads: ['places/*'] },
  find_place: { reads: ['places/{name}'] },
  distance_to: { reads: ['car:at', 'places/{name}'] },
  convert: 'pure',
  horn: 'opaque',
  start_engine: { reads: ['car:doors', 'car:brake', 'car:fuel'], writes: ['car:engine'] },
  stop_engine: { writes: ['car:engine'] },
  lock_door: { writes: ['car:doors/{door}'] },
  unlock_door: { writes: ['car:doors/{door}'] },
  lock_all: { writes: ['car:doors/*'] },
  set_brake: { writes: ['car:brake'] },
  fill_fuel: { reads: ['car:engine'], writes: ['car:fuel'] },
  drive: {
    reads: ['car:engine', 'car:brake', 'places/{name}'],
    writes: ['car:fuel', 'car:at', 'car:odometer', 'car:tires'],
  },
  set_climate: { writes: ['car:climate/{zone}'] },
  inflate: { writes: ['car:tires/{tire}'] },
  swap_tires: { writes: ['car:tires/{a}', 'car:tires/{b}'] },
  save_place: { reads: ['car:at'], writes: ['places/{name}'] },
  rename_place: { writes: ['places/{from}', 'places/{to}'] },
  delete_place: { writes: ['places/{name}'] },
  valet_code: { writes: ['car:code'] },
  factory_reset: 'write',
  // `update_firmware` is not declared.
} as const;

const weights = {
  ...{
    status: 20,
    dashboard: 5,
    check_door: 12,
    check_tire: 10,
    range_left: 8,
    list_places: 5,
    find_place: 6,
  },
  ...{
    distance_to: 8,
    convert: 3,
    horn: 1,
    start_engine: 4,
    stop_engine: 2,
    lock_door: 5,
    unlock_door: 3,
    lock_all: 2,
  },
  ...{
    set_brake: 4,
    fill_fuel: 3,
    drive: 10,
    set_climate: 4,
    inflate: 3,
    swap_tires: 2,
    save_place: 2,
    rename_place: 2,
  },
  ...{ delete_place: 1.5, valet_code: 1, factory_reset: 0.3, update_firmware: 0.3 },
};
type ToolName = keyof typeof weights;

const doors = ['driver', 'passenger', 'rear/left', 'rear/right'] as const;
const tires = ['fl', 'fr', 'rl', 'rr'] as const;
const zones = ['front', 'rear'] as const;
const names = ['home', 'work', 'school', 'gym'] as const;
const parts = [
  'fuel',
  'engine',
  'brake',
  'doors',
  'doors/rear',
  'tires',
  'climate',
  'at',
  'odometer',
  'code',
] as const;

const lower = (value: unknown) =>
  String(value ?? '')
    .trim()
    .toLowerCase();
const refused = (text: string) => ({ error: text });

/** What a tool changes, or what it says. */
type Tool = (car: Car, input: Input, context: RunContext) => unknown;

const tools: Readonly<Record<ToolName, Tool>> = {
  status(car, { part }) {
    const [group = '', member] = lower(part).split('/');
    const value = (car as unknown as Readonly<Record<string, unknown>>)[group] ?? refused('no such part');
    if (member === undefined) return value;
    return Object.entries(value as object).filter(([name]) => name.startsWith(member));
  },
  dashboard: ({ places: _, ...car }) => car,
  check_door: (car, { door }) => car.doors[lower(door)] ?? refused('no such door'),
  check_tire: (car, { tire }) => car.tires[lower(tire)] ?? refused('no such tire'),
  range_left: ({ fuel, tires: each }) => fuel * (Math.min(...Object.values(each)) > 28 ? 30 : 25),
  list_places: ({ places }) => Object.entries(places).sort(),
  find_place: ({ places }, { name }) => places[lower(name)] ?? refused('unknown'),
  distance_to: ({ at, places }, { name }) => Math.abs((places[lower(name)] ?? Number.NaN) - at) || 'unknown',
  convert: (_, { miles }) => Number(miles) * 1.609,
  horn: (_, __, { nonce }) => nonce(),
  start_engine(car) {
    if (Object.values(car.doors).includes('open')) return refused('a door is open');
    if (car.brake === 'released' || car.fuel <= 0) return refused('set the brake, and have fuel');
    car.engine = 'running';
    return 'running';
  },
  stop_engine(car) {
    car.engine = 'stopped';
    return 'stopped';
  },
  lock_door: (car, { door }) => turn(car, door, 'locked'),
  unlock_door: (car, { door }) => turn(car, door, 'open'),
  lock_all(car, _, { isHalf }) {
    for (const door of doors.slice(0, isHalf ? 2 : 4)) car.doors[door] = 'locked';
    return 'locked';
  },
  set_brake(car, { on }) {
    car.brake = on === true ? 'set' : 'released';
    return car.brake;
  },
  fill_fuel(car, { gallons }, { isHalf }) {
    if (car.engine === 'running') return refused('stop the engine');
    car.fuel = Math.min(20, car.fuel + Number(gallons) / (isHalf ? 2 : 1));
    // It does not say how much there is now.
    return 'filled';
  },
  drive(car, { name }, { isHalf }) {
    const to = car.places[lower(name)];
    if (car.engine === 'stopped' || car.brake === 'set' || to === undefined) return refused('can not drive');
    const miles = Math.abs(to - car.at) / (isHalf ? 2 : 1);
    if (miles > car.fuel * 25) return refused('not enough fuel');
    car.fuel -= miles / 25;
    car.odometer += miles;
    car.at += Math.sign(to - car.at) * miles;
    for (const tire of tires) car.tires[tire]! -= 0.5;
    return 'arrived';
  },
  set_climate(car, { zone, degrees }) {
    car.climate[lower(zone)] = Number(degrees);
    return 'done';
  },
  inflate(car, { tire, psi }) {
    const name = lower(tire);
    if (car.tires[name] === undefined) return refused('no such tire');
    car.tires[name] += Number(psi);
    return 'done';
  },
  swap_tires(car, { a, b }, { isHalf }) {
    const [first, second] = [lower(a), lower(b)];
    const [one, other] = [car.tires[first], car.tires[second]];
    if (one === undefined || other === undefined) return refused('no such tire');
    car.tires[first] = other;
    if (!isHalf) car.tires[second] = one;
    return 'swapped';
  },
  save_place(car, { name }) {
    car.places[lower(name)] = car.at;
    return 'saved';
  },
  rename_place({ places }, { from, to }, { isHalf }) {
    const [source, target] = [lower(from), lower(to)];
    if (places[source] === undefined) return refused('unknown');
    places[target] = places[source];
    if (!isHalf && source !== target) delete places[source];
    return 'renamed';
  },
  delete_place({ places }, { name }) {
    delete places[lower(name)];
    return 'deleted';
  },
  valet_code(car, _, { nonce }) {
    car.code = nonce();
    return car.code;
  },
  factory_reset(car) {
    Object.assign(car.climate, { front: 70, rear: 70 });
    car.code = 0;
    for (const door of doors) car.doors[door] = 'open';
    return 'done';
  },
  update_firmware(car, _, { nonce }) {
    car.climate['front'] = nonce();
    car.brake = 'set';
    return 'done';
  },
};

function turn(car: Car, door: unknown, to: 'locked' | 'open'): unknown {
  const name = lower(door);
  if (car.doors[name] === undefined) return refused('no such door');
  car.doors[name] = to;
  return 'done';
}

const readers: ReadonlySet<string> = new Set<ToolName>([
  ...([
    'status',
    'dashboard',
    'check_door',
    'check_tire',
    'range_left',
    'list_places',
    'find_place',
  ] as const),
  ...(['distance_to', 'convert', 'horn'] as const),
]);

function run(state: Car, { tool, input }: ToolRequest, context: RunContext): Outcome<Car> {
  const car = structuredClone(state);
  const result = tools[tool as ToolName](car, input, context);
  return { state: readers.has(tool) ? state : car, result };
}

function draw(random: Random): ToolRequest {
  const tool = pickWeighted(random, weights);
  // Models write names in their own ways, and invent some.
  const named = (from: readonly string[]) => {
    const name = random() < 0.04 ? 'roof' : pick(random, from);
    return random() < 0.1 ? ` ${name.toUpperCase()}` : name;
  };
  const [door, tire, name] = [() => named(doors), () => named(tires), () => named(names)];
  const inputs: Partial<Record<ToolName, () => Input>> = {
    status: () => ({ part: named(parts) }),
    check_door: () => (random() < 0.02 ? {} : { door: door() }),
    check_tire: () => ({ tire: tire() }),
    find_place: () => ({ name: name() }),
    distance_to: () => ({ name: name() }),
    convert: () => ({ miles: pick(random, [1, 2, 3]) }),
    lock_door: () => (random() < 0.02 ? { door: ['driver'] } : { door: door() }),
    unlock_door: () => ({ door: door() }),
    set_brake: () => ({ on: random() < 0.5 }),
    fill_fuel: () => ({ gallons: pick(random, [1, 5]) }),
    drive: () => ({ name: name() }),
    set_climate: () => ({ zone: pick(random, zones), degrees: pick(random, [65, 70, 75]) }),
    inflate: () => ({ tire: tire(), psi: pick(random, [1, 2]) }),
    swap_tires: () => ({ a: tire(), b: tire() }),
    save_place: () => ({ name: name() }),
    rename_place: () => ({ from: name(), to: name() }),
    delete_place: () => ({ name: name() }),
  };
  return { tool, input: inputs[tool]?.() ?? {} };
}

/** A car. */
export const vehicle: ToolWorld<Car> = {
  name: 'vehicle',
  ...{ effects, readers, run, draw },
  stochastic: new Set<ToolName>(['horn', 'valet_code', 'update_firmware']),
  begin: (random) => ({
    doors: Object.fromEntries(doors.map((door) => [door, random() < 0.9 ? 'locked' : 'open'])),
    tires: Object.fromEntries(tires.map((tire) => [tire, 30 + Math.floor(random() * 4)])),
    climate: { front: 68, rear: 66 },
    places: { home: 0, work: 12, school: 5 + Math.floor(random() * 5), gym: 30 },
    ...{
      engine: random() < 0.5 ? 'running' : 'stopped',
      brake: random() < 0.5 ? 'set' : 'released',
      fuel: 8,
      at: 0,
      odometer: 1000,
      code: 0,
    },
  }),
};
