// The service integrations a plain States Language Task may name: `arn:aws:states:::<service>:<action>` with what it may
// wait for. Facts of AWS's documentation, as data.

/** What a call may wait for: `job` is `.sync`, `job2` also `.sync:2`, `token` is `.waitForTaskToken`. */
export type Waits = 'job' | 'job2' | 'token';

type Actions = Readonly<Record<string, readonly Waits[]>>;

/** Each action of `names`, with the same ways of waiting. */
function actions(names: string, ...waits: readonly Waits[]): Actions {
  return Object.fromEntries(names.split(' ').map((name) => [name, waits]));
}

/** Service -> action -> what it may wait for. Every action also answers at once. */
export const SERVICES: Readonly<Record<string, Actions>> = {
  apigateway: actions('invoke', 'token'),
  athena: {
    ...actions('startQueryExecution', 'job'),
    ...actions('stopQueryExecution getQueryExecution getQueryResults'),
  },
  batch: actions('submitJob', 'job'),
  bedrock: { ...actions('invokeModel', 'token'), ...actions('createModelCustomizationJob', 'job') },
  bedrockagentcore: actions('invokeHarness'),
  codebuild: {
    ...actions('startBuild startBuildBatch retryBuildBatch', 'job'),
    ...actions('stopBuild stopBuildBatch retryBuild batchDeleteBuilds deleteBuildBatch batchGetReports'),
  },
  databrew: actions('startJobRun', 'job'),
  dynamodb: actions('getItem putItem updateItem deleteItem'),
  ecs: actions('runTask', 'job', 'token'),
  eks: {
    ...actions('createCluster deleteCluster createNodegroup deleteNodegroup', 'job'),
    ...actions('createFargateProfile deleteFargateProfile', 'job'),
    ...actions('runJob', 'job', 'token'),
    ...actions('call'),
  },
  elasticmapreduce: {
    ...actions('createCluster addStep terminateCluster', 'job'),
    ...actions('cancelStep setClusterTerminationProtection'),
    ...actions('modifyInstanceFleetByName modifyInstanceGroupByName'),
  },
  'emr-containers': {
    ...actions('createVirtualCluster'),
    ...actions('deleteVirtualCluster startJobRun', 'job'),
  },
  'emr-serverless': actions(
    'createApplication startApplication stopApplication deleteApplication startJobRun cancelJobRun',
    'job',
  ),
  events: actions('putEvents', 'token'),
  glue: actions('startJobRun', 'job'),
  http: actions('invoke'),
  lambda: actions('invoke', 'token'),
  mediaconvert: actions('createJob', 'job'),
  sagemaker: {
    ...actions('createHyperParameterTuningJob createLabelingJob createProcessingJob', 'job'),
    ...actions('createTrainingJob createTransformJob', 'job'),
    ...actions('createEndpoint createEndpointConfig createModel updateEndpoint'),
  },
  sns: actions('publish', 'token'),
  sqs: actions('sendMessage', 'token'),
  states: actions('startExecution', 'job', 'job2', 'token'),
};
