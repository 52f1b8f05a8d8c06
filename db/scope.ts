/** Whose plants a person may see. Every function that reads for people takes a scope, so that none can forget it. */
export interface PlantScope {
  /** null: all plants. */
  customerId: string | null;
}

/** Every plant: for operators, and for the CLI, whose user has the whole database. */
export const allPlants: PlantScope = { customerId: null };
