/** Words of the synthetic corpus. Each is in one class only, so that a text determines the classes of its words. */

interface Topic {
  title: string;
  nouns: string;
  verbs: string;
  adjectives: string;
}

/** Topics of documents; the words of a topic are more frequent in its documents. */
export const TOPICS: readonly Topic[] = [
  {
    title: 'harbour',
    nouns: 'anchor rope sail lantern net barrel captain sailor tide mast gull ferry',
    verbs: 'hauled moored launched steered',
    adjectives: 'salty windy seaworthy weathered',
  },
  {
    title: 'orchard',
    nouns: 'apple ladder basket pear blossom branch hive beetle cider wasp fence plum',
    verbs: 'picked pruned planted gathered',
    adjectives: 'ripe sour juicy leafy',
  },
  {
    title: 'kitchen',
    nouns: 'kettle oven spoon loaf apron stove pepper saucer recipe butter pantry cook',
    verbs: 'boiled sliced stirred tasted',
    adjectives: 'greasy warm spicy crusty',
  },
  {
    title: 'courthouse',
    nouns: 'judge verdict witness lawyer gavel jury statute clerk oath prisoner bailiff testimony',
    verbs: 'accused questioned sentenced defended',
    adjectives: 'guilty solemn lawful stern',
  },
  {
    title: 'schoolroom',
    nouns: 'chalk lesson pupil slate alphabet essay teacher desk blackboard ruler dictation satchel',
    verbs: 'copied recited taught corrected',
    adjectives: 'clever diligent inky tardy',
  },
  {
    title: 'market',
    nouns: 'stall merchant coin cabbage cart customer bargain scale ribbon melon trader parcel',
    verbs: 'sold weighed bought traded',
    adjectives: 'cheap costly noisy fresh',
  },
  {
    title: 'forest',
    nouns: 'oak fox badger fern squirrel moss owl stag thicket acorn hunter mushroom',
    verbs: 'tracked chased hunted trapped',
    adjectives: 'wild mossy shady hollow',
  },
  {
    title: 'railway',
    nouns:
      'engine signal carriage platform ticket whistle conductor tunnel buffer timetable boiler passenger',
    verbs: 'uncoupled halted boarded shunted',
    adjectives: 'sooty punctual steaming rattling',
  },
  {
    title: 'hospital',
    nouns: 'nurse patient bandage fever doctor ward stretcher needle thermometer surgeon remedy ambulance',
    verbs: 'bandaged healed examined soothed',
    adjectives: 'feverish pale sterile wounded',
  },
  {
    title: 'theatre',
    nouns: 'actor curtain costume stage audience rehearsal script mask orchestra programme balcony spotlight',
    verbs: 'rehearsed applauded staged directed',
    adjectives: 'dramatic gilded vain famous',
  },
  {
    title: 'quarry',
    nouns: 'hammer boulder granite dynamite miner crane pickaxe slab gravel foreman drill ledge',
    verbs: 'crushed blasted lifted loaded',
    adjectives: 'dusty jagged heavy rugged',
  },
  {
    title: 'chapel',
    nouns: 'hymn candle altar sermon organ priest pew bell choir psalm incense pilgrim',
    verbs: 'blessed praised lit christened',
    adjectives: 'holy humble silent sacred',
  },
  {
    title: 'workshop',
    nouns: 'chisel plank nail sawdust carpenter vise hinge varnish bolt apprentice lathe blueprint',
    verbs: 'carved polished repaired measured',
    adjectives: 'wooden crooked blunt sturdy',
  },
  {
    title: 'castle',
    nouns: 'knight tower moat dungeon banner throne armour drawbridge squire crown archer turret',
    verbs: 'besieged guarded stormed inherited',
    adjectives: 'royal ancient proud haunted',
  },
  {
    title: 'library',
    nouns:
      'novel shelf catalogue manuscript librarian atlas chapter index scholar parchment encyclopedia bookmark',
    verbs: 'borrowed indexed translated annotated',
    adjectives: 'learned dim yellowed forgotten',
  },
  {
    title: 'camp',
    nouns: 'tent campfire soldier rifle trench compass blanket sergeant canteen bugle scout uniform',
    verbs: 'saluted packed ambushed inspected',
    adjectives: 'muddy weary loyal hungry',
  },
];

/** Words of all topics, most frequent first; they rank before the words of the topics. */
export const GENERAL = {
  nouns:
    'man woman child door house road letter hand window table room dog friend hat voice story box key chair stone fire garden river bridge boat horse lamp clock coat bag cup bottle knife song map wall street cloud shadow secret picture stranger neighbour mother father brother sister',
  verbs:
    'found took carried held saw kept lost dropped opened closed moved wanted needed left remembered forgot noticed described painted hid broke mended washed sent brought pushed pulled touched',
  adjectives:
    'old new small large little good young long red white black green blue strange quiet happy sad broken empty cold dark bright round soft sharp plain',
} as const;

/** Words with the same weights in every document, most frequent first. */
export const FIXED = {
  /** Verbs without an object. */
  VI: 'waited slept laughed smiled walked stood sat wept danced whispered shivered wandered hesitated rested paused sang worked travelled dreamed argued knelt vanished returned stumbled hurried listened',
  /** Verbs whose object is a person. */
  VN: 'met watched followed thanked helped trusted visited teased warned greeted scolded admired joined missed avoided comforted surprised interrupted',
  SAY: 'said thought knew believed feared claimed insisted suspected admitted doubted',
  ADV: 'slowly quietly suddenly gladly carefully bravely politely nervously eagerly patiently secretly angrily softly calmly loudly stubbornly thoughtfully wearily',
  PREP: 'with near behind under beside above across beyond inside around',
} as const;

/** Openings of sentences; the only commas after the first line follow them. */
export const OPENERS = [
  'In the morning',
  'That evening',
  'Before long',
  'After supper',
  'On Sunday',
  'At midnight',
  'Later',
  'By then',
  'For once',
  'As always',
  'Years before',
  'At last',
] as const;

/** First names of women and of men. */
export const NAMES = {
  she: 'Anna Ruth Clara Edith Margaret Alice Emma Helen Martha Rosalind Beatrice Judith Florence Agnes Harriet Eleanor Winifred Matilda Sylvia Dorothy Ingrid Priya Leila Yuki Nadia Olga Carmen Amara Zainab Lucia Freya Tabitha',
  he: 'Thomas Henry Arthur George Walter Samuel Edmund Philip Hugh Oliver Frederick Matthew Leonard Simon Gilbert Ambrose Cedric Bernard Theodore Rupert Ivan Rajesh Omar Kenji Pablo Kwame Viktor Stefan Bjorn Dmitri Anselm Barnaby',
} as const;

/** Names of towns, invented or shared by several. */
export const PLACES =
  'Thornby Ravensmoor Millbrook Ashcombe Penhallow Greystone Larkfield Oakhampton Stanwick Wychford Brambleton Coldharbour Dunmore Elmstead Fairhaven Glenrock Highcliff Kingsbury Langdale Marshfield Northgate Otterburn Pinewood Queensferry Redhill Saltmarsh Tidewater Upton Underhill Westbrook Yarrowby Amberley Blackwater Copperton Drayton Hazelmere';
