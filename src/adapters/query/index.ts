export { openQueryEvaluator, type QueryEvaluatorOptions } from './evaluator.js';
