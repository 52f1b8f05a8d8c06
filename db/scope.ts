/** Whose plants a reading may show: every function that reads for people takes one, so that none can forget it. */
export interface PlantScope {
  /** null: all plants. */
  customerId: string | null;
}

/** Every plant: for operators, and for the CLI, whose user holds the database anyway. */
export const allPlants: PlantScope = { customerId: null };
